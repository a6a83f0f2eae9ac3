import {
  AgentId,
  BaseAgent,
  type MessageContext,
  type RegisterFactoryOptions,
  type SendOptions,
} from "../../../src/core/index.ts";
import { Answer, Ask, type Stage } from "./world.ts";

export type Body = (text: string, agent: Actor, context: MessageContext) => Promise<string> | string;

/** An agent that answers what its function returns, and notes when that begins and ends. */
export class Actor extends BaseAgent {
  readonly #body: Body;
  readonly #log: string[];

  constructor(body: Body, log: string[]) {
    super("an actor");
    this.#body = body;
    this.#log = log;
  }

  protected override async onMessageImpl({ text }: { readonly text: string }, context: MessageContext) {
    this.#log.push(`${this.id.type} begins ${text}`);
    const answer = await this.#body(text, this, context);
    this.#log.push(`${this.id.type} ends ${text}`);
    return Answer({ text: answer });
  }

  async ask(type: string, text: string, options: SendOptions = {}): Promise<string> {
    return (await this.sendMessage(Ask({ text }), new AgentId(type, "k"), options)).text;
  }
}

export type Roles = {
  readonly [type: string]: readonly [home: "caller" | "callee", concurrency: "sequential" | "interleaved", body: Body];
};

/** Registers an agent `k` of each type. Returns what they note. */
export async function cast(stage: Stage, roles: Roles): Promise<string[]> {
  const log: string[] = [];
  for (const [type, [home, concurrency, body]] of Object.entries(roles)) {
    const options: RegisterFactoryOptions<Actor> = { concurrency };
    await stage[home].registerFactory(type, () => new Actor(body, log), options);
  }
  return log;
}

/** Asks the agent `k` of a type from outside. */
export const ask = async (stage: Stage, type: string, text: string) =>
  (await stage.caller.sendMessage(Ask({ text }), new AgentId(type, "k"))).text;
