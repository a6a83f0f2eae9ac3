import { type AgentRuntime, handlerTable, RoutedAgent } from "troupe";
import { type ChatMessage, TakeTurn, TurnTaken } from "troupe/teams";

/** Stands for a model: gets the messages that are new to the participant, and returns its text. */
export type Say = (messages: readonly ChatMessage[], note: string) => string | { content: string; handoff: string };

/** A participant of a team that says what a function returns. */
class Speaker extends RoutedAgent {
  static override readonly handlers = handlerTable<Speaker>().rpc(TakeTurn, function ({ messages, note }) {
    const said = this.#say(messages, note);
    return TurnTaken(typeof said === "string" ? { content: said } : said);
  });

  readonly #say: Say;

  constructor(say: Say) {
    super("speaks");
    this.#say = say;
  }
}

/** Registers a participant. */
export async function speaker(runtime: AgentRuntime, name: string, say: Say): Promise<void> {
  await Speaker.register(runtime, name, () => new Speaker(say));
}
