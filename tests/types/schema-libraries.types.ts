// Compiled by `npm run check`, never run: each `@ts-expect-error` is a promise that a mistake does not compile.
import { type } from "arktype";
import { AgentId, type AgentRuntime, defineMessage, handlerTable, type MessageOf, RoutedAgent, rpc } from "troupe";
import * as v from "valibot";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<Expected, Actual>(verdict: Same<Expected, Actual>): void;
declare const runtime: AgentRuntime;

const Chord = defineMessage("Chord", v.object({ notes: v.array(v.string()), loud: v.optional(v.boolean(), false) }));
const Tempo = defineMessage("Tempo", type({ beats: "number > 0", "note?": "string" }), { answer: Chord });

// Values are made of what the schema takes, and have what it gives.
const chord = Chord({ notes: ["c", "e"] });
exactly<string[], typeof chord.notes>(true);
exactly<boolean, typeof chord.loud>(true);
const tempo = Tempo({ beats: 1 });
exactly<number, typeof tempo.beats>(true);
exactly<string | undefined, typeof tempo.note>(true);
// @ts-expect-error a field of a wrong type, by valibot
Chord({ notes: "c" });
// @ts-expect-error a field of a wrong type, by arktype
Tempo({ beats: "x" });
// @ts-expect-error a message of valibot is none of arktype
export const wrong: MessageOf<typeof Tempo> = chord;

// Calls and handlers are typed by them as by any schema.
const answer = await runtime.sendMessage(tempo, new AgentId("drummer", "1"));
exactly<string[], typeof answer.notes>(true);

export class Drummer extends RoutedAgent {
  static override readonly handlers = handlerTable<Drummer>().rpc(Tempo, ({ beats }) => {
    exactly<number, typeof beats>(true);
    return Chord({ notes: [] });
  });

  // @ts-expect-error a parameter that is another message
  @rpc(Tempo)
  play(message: MessageOf<typeof Chord>) {
    return message;
  }
}
// @ts-expect-error an answer that is another message
handlerTable<Drummer>().rpc(Tempo, () => Tempo({ beats: 1 }));
