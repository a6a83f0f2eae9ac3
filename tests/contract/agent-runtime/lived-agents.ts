import {
  type ActivationContext,
  AgentId,
  BaseAgent,
  type DeactivationReason,
  type LifeOptions,
  type MessageContext,
  type TurnOptions,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, type Stage } from "./world.ts";

export const ada = new AgentId("lived", "ada");
export const bea = new AgentId("lived", "bea");
export const cleo = new AgentId("lived", "cleo");

/** What a test changes about the lives of its agents. Each hook gets the number of the object, from 1 on. */
export interface Script {
  readonly onActivate?: (agent: Lived, context: ActivationContext) => unknown;
  readonly onDeactivate?: (agent: Lived, reason: DeactivationReason) => unknown;
  readonly handle?: (agent: Lived, text: string, context: MessageContext) => unknown;
}

/** An agent that notes its life. */
export class Lived extends BaseAgent {
  readonly number: number;
  readonly #life: Life;

  constructor(life: Life) {
    super("lives");
    this.#life = life;
    life.made += 1;
    this.number = life.made;
  }

  override async onActivate(context: ActivationContext): Promise<void> {
    this.#note("activating");
    await this.#life.script.onActivate?.(this, context);
    this.#note("active");
  }

  override async onDeactivate(reason: DeactivationReason): Promise<void> {
    this.#note(`leaving (${reason})`);
    await this.#life.script.onDeactivate?.(this, reason);
    this.#note("left");
  }

  override close(): void {
    this.#note("closed");
    this.#life.ended.put(this.id.key);
  }

  protected override async onMessageImpl({ text }: { readonly text: string }, context: MessageContext) {
    this.#note(`begin ${text}`);
    const answer = await this.#life.script.handle?.(this, text, context);
    this.#note(`end ${text}`);
    return answer ?? Answer({ text: `${text} by ${this.number}` });
  }

  #note(what: string): void {
    this.#life.lines.push(`${this.id.key}${this.number} ${what}`);
  }
}

/** The lives of a type's agents. */
export class Life {
  readonly lines: string[] = [];
  /** Keys of agents that were closed. */
  readonly ended = new Inbox<string>();
  readonly script: Script;
  made = 0;

  constructor(script: Script) {
    this.script = script;
  }

  /** The lines without those of handlers. */
  get hooks(): string[] {
    return this.lines.filter((line) => !/ (begin|end) /.test(line));
  }
}

export async function host(stage: Stage, script: Script = {}, options: LifeOptions & TurnOptions = {}): Promise<Life> {
  const life = new Life(script);
  await stage.callee.registerFactory("lived", () => new Lived(life), options);
  return life;
}

export function ask(stage: Stage, text: string, id = ada): Promise<{ readonly text: string }> {
  return stage.caller.sendMessage(Ask({ text }), id);
}

export const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

/** What handlers of a test wait for: a message "wait" tells that its handler has begun, and ends with the gate. */
export class Pause {
  readonly begun = new Gate();
  readonly gate = new Gate();

  readonly handle = async (_agent: Lived, text: string): Promise<void> => {
    if (text !== "wait") return;
    this.begun.open();
    await this.gate.opened;
  };
}
