// Compiled by `npm run check`, never run: each `@ts-expect-error` is a promise that a mistake does not compile.
import { type } from "arktype";
import {
  BaseAgent,
  defineMessage,
  defineState,
  handlerTable,
  type MessageOf,
  type NotAList,
  type NotAState,
  persistentAgent,
  rpc,
  SingleThreadedAgentRuntime,
  type StateOf,
  type TopicId,
} from "troupe";
import * as v from "valibot";
import { z } from "zod";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<Expected, Actual>(verdict: Same<Expected, Actual>): void;
declare const topic: TopicId;

const Total = defineMessage("Total", z.object({ value: z.number() }));
const Add = defineMessage("Add", z.object({ value: z.number() }), { answer: Total });

// A state has the type that its schema gives, in three libraries.
const Count = defineState(z.object({ total: z.number(), phase: z.enum(["new", "old"]) }), {
  initial: { total: 0, phase: "new" },
});
exactly<{ total: number; phase: "new" | "old" }, StateOf<typeof Count>>(true);
const Chords = defineState(v.object({ notes: v.array(v.string()), loud: v.optional(v.boolean()) }), {
  initial: { notes: [] },
});
exactly<string[], StateOf<typeof Chords>["notes"]>(true);
const Tempo = defineState(type({ beats: "number > 0", "note?": "string" }), { initial: { beats: 60 } });
exactly<number, StateOf<typeof Tempo>["beats"]>(true);

// What does not fit the schema is no initial state.
// @ts-expect-error a field of a wrong type
defineState(z.object({ total: z.number() }), { initial: { total: "0" } });
// @ts-expect-error a missing field
defineState(z.object({ total: z.number() }), { initial: {} });
// @ts-expect-error a literal that the enum does not have
defineState(z.object({ phase: z.enum(["new", "old"]) }), { initial: { phase: "newer" } });
// @ts-expect-error a state without its initial value
defineState(z.object({ total: z.number() }), {});
declare const numbers: z.ZodArray<z.ZodNumber>;
// @ts-expect-error a list is no state, and the error says what to do
defineState(z.array(z.number()), { initial: [] });
// @ts-expect-error a Map is no state
defineState(z.map(z.string(), z.number()), { initial: new Map() });
exactly<NotAState<"A collection is not a state. Put it into a field of an object.">, NotAList<typeof numbers>>(true);
// @ts-expect-error a number is no state
defineState(z.number(), { initial: 0 });
// @ts-expect-error there is no such policy
defineState(z.object({ total: z.number() }), { initial: { total: 0 }, save: "never" });

// Handlers of a table know the state of their agent.
export class Counter extends persistentAgent(Count) {
  static override readonly handlers = handlerTable<Counter>().rpc(Add, function ({ value }) {
    exactly<{ total: number; phase: "new" | "old" }, typeof this.state>(true);
    this.state.total += value;
    this.state = { ...this.state, phase: "old" };
    // @ts-expect-error a field of a wrong type
    this.state.total = "1";
    // @ts-expect-error a literal that the enum does not have
    this.state.phase = "newer";
    // @ts-expect-error there is no such field
    this.state.sum = 1;
    // @ts-expect-error a part is no state
    this.state = { total: 1 };
    return Total({ value: this.state.total });
  });

  async publish(): Promise<void> {
    await this.saveNow();
    this.destroySelf();
    await this.publishMessage(Total({ value: 1 }), topic, { immediately: true });
  }
}

// So do decorated methods.
export class Decorated extends persistentAgent(Tempo) {
  @rpc(Add)
  add({ value }: MessageOf<typeof Add>) {
    exactly<number, typeof this.state.beats>(true);
    // @ts-expect-error a field of a wrong type
    this.state.beats = "1";
    return Total({ value: this.state.beats + value });
  }

  // @ts-expect-error the answer has another type
  @rpc(Add)
  wrong({ value }: MessageOf<typeof Add>) {
    return value;
  }
}

// A class of one's own as the base keeps its constructor and its members.
abstract class Base extends BaseAgent {
  readonly size: number;
  constructor(description: string, size: number) {
    super(description);
    this.size = size;
  }
}
export class Own extends persistentAgent(Chords, Base) {
  protected override onMessageImpl(): unknown {
    exactly<number, typeof this.size>(true);
    return this.state.notes.length;
  }
}
export const own = new Own("own", 3);
// @ts-expect-error the base's constructor takes a number, too
new Own("own");
// @ts-expect-error an agent class is needed
persistentAgent(Chords, Map);
// @ts-expect-error a schema is no definition
persistentAgent(z.object({ total: z.number() }));

const runtime = new SingleThreadedAgentRuntime();
await Counter.register(runtime, "counter", () => new Counter("counts"));
await Decorated.register(runtime, "decorated", () => new Decorated("counts"));
// @ts-expect-error the factory makes another agent
await Counter.register(runtime, "other", () => new Decorated("counts"));
