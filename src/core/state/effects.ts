import type { Agent } from "../agents/agent.ts";
import { UndeliverableException } from "../errors.ts";
import type { Mail, ReminderChange } from "./state-store.ts";

/** Effects of one turn at most, and their bytes. */
const mostEffects = 10_000;
const mostEffectBytes = 16 * 1024 * 1024;

/** A place in the effects of a turn, to go back to. */
export interface EffectsSavepoint {
  readonly events: number;
  readonly reminders: number;
  readonly mail: number;
  readonly bytes: number;
}

/** Effects that a commit has taken. */
export interface TakenEffects<Out = unknown> {
  readonly events: readonly Out[];
  readonly reminders: readonly ReminderChange[];
  readonly mail: readonly Mail[];
  /** Of reminders, mail and encoded events. */
  readonly bytes: number;
}

export const noEffects: TakenEffects<never> = { events: [], reminders: [], mail: [], bytes: 0 };

/**
 * The effects of a turn of a persistent agent: events, reminders and mail. They leave when the turn's state is written,
 * and go when the turn fails.
 */
export class TurnEffects<Out = unknown> {
  /** Events, ready to be sent. */
  events: Out[] = [];
  reminders: ReminderChange[] = [];
  mail: Mail[] = [];
  #bytes = 0;

  get isEmpty(): boolean {
    return this.events.length === 0 && this.reminders.length === 0 && this.mail.length === 0;
  }

  /** Throws `overloaded` when the turn has too many effects. `bytes`: its length, if the event is encoded. */
  addEvent(event: Out, bytes = 0): void {
    this.#makeRoom(bytes);
    this.events.push(event);
  }

  /** Throws `overloaded` when the turn has too many effects. */
  addReminder(change: ReminderChange): void {
    this.#makeRoom(change.at === "set" ? change.message.length : 0);
    this.reminders.push(change);
  }

  /** Throws `overloaded` when the turn has too many effects. */
  addMail(mail: Mail): void {
    this.#makeRoom(mail.frame.length);
    this.mail.push(mail);
  }

  /** Adds several messages and an event, or nothing. Throws `overloaded` when the turn has too many effects. */
  addDurableEvent(mail: readonly Mail[], event: Out): void {
    const before = this.savepoint();
    try {
      for (const one of mail) this.addMail(one);
      this.addEvent(event);
    } catch (error) {
      this.rollBack(before);
      throw error;
    }
  }

  /** Takes all out. */
  take(): TakenEffects<Out> {
    const { events, reminders, mail } = this;
    const taken = { events, reminders, mail, bytes: this.#bytes };
    this.events = [];
    this.reminders = [];
    this.mail = [];
    this.#bytes = 0;
    return taken;
  }

  /** Returns the present place. */
  savepoint(): EffectsSavepoint {
    const { events, reminders, mail } = this;
    return { events: events.length, reminders: reminders.length, mail: mail.length, bytes: this.#bytes };
  }

  /** Whether something was added since the savepoint. Default: whether there is anything. */
  hasSince({ events, reminders, mail }: EffectsSavepoint = beginning): boolean {
    return this.events.length > events || this.reminders.length > reminders || this.mail.length > mail;
  }

  /** Drops what was added since the savepoint. Default: all. */
  rollBack({ events, reminders, mail, bytes }: EffectsSavepoint = beginning): void {
    this.events.length = Math.min(events, this.events.length);
    this.reminders.length = Math.min(reminders, this.reminders.length);
    this.mail.length = Math.min(mail, this.mail.length);
    this.#bytes = bytes;
  }

  /** Drops what was added before the savepoint: it is written. */
  dropUntil({ events, reminders, mail, bytes }: EffectsSavepoint): void {
    this.events.splice(0, events);
    this.reminders.splice(0, reminders);
    this.mail.splice(0, mail);
    this.#bytes = Math.max(0, this.#bytes - bytes);
  }

  #makeRoom(bytes: number): void {
    const count = this.events.length + this.reminders.length + this.mail.length;
    if (count >= mostEffects || (count > 0 && this.#bytes + bytes > mostEffectBytes)) {
      const text = `A turn of a persistent agent has at most ${mostEffects} effects and ${mostEffectBytes} bytes of them.`;
      throw new UndeliverableException(`${text} Call saveNow between them, or publish with { immediately: true }.`, {
        code: "overloaded",
        notHandled: true,
      });
    }
    this.#bytes += bytes;
  }
}

const beginning: EffectsSavepoint = { events: 0, reminders: 0, mail: 0, bytes: 0 };

/** Key under which a persistent agent shows the effects of the turn that runs. Copies of the package share it. */
export const turnEffects = Symbol.for("troupe.turnEffects");

/** Returns the effects of the turn of a persistent agent. Undefined: the agent keeps no state, or no turn of it runs that may change it. */
export function effectsOf(agent: Agent): TurnEffects | undefined {
  // Only persistent agents have this property, and it is nothing else.
  return Reflect.get(agent, turnEffects) as TurnEffects | undefined;
}
