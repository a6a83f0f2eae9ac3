import type { Clock, Timer } from "../../clock.ts";
import { loggableError } from "../../delivery/loggable.ts";
import { TroupeError } from "../../errors.ts";
import type { RuntimeLog } from "../../limited-log.ts";
import type { AgentName } from "../../state/agent-name.ts";
import type { DurableLog, MailReceiver } from "../../state/durable-log.ts";
import { OpenTypes } from "./open-types.ts";

/** The parts of `LeftMail`. */
export interface LeftMailParts {
  readonly log: Pick<DurableLog, "receivers">;
  readonly clock: Clock;
  readonly logger: RuntimeLog;
  /** Whether agents of a type can be reached. */
  readonly isServed: (agentType: string) => boolean;
  readonly isInMemory: (agent: AgentName) => boolean;
  readonly hasRoom: (agent: AgentName) => boolean;
  /** Brings a mailbox into memory. Returns its text. */
  readonly open: (receiver: MailReceiver) => string;
  /** Takes mailboxes of types out of memory that wait for their agents. */
  readonly retire: (isRetired: (agentType: string) => boolean) => void;
  /** Called when `isBusy` may have changed. */
  readonly onChange: () => void;
}

/** While no runtime serves a type, one of its agents after the other is tried. */
interface Absence {
  waits: number;
  /** Until the next try. */
  timer: Timer | undefined;
  /** The mailbox that is tried. */
  probe: string | undefined;
  /** When the message was sent that was tried last. */
  sentAtMs: number;
}

/** A type that has mailboxes which are not in memory. */
interface LeftType {
  /** Whether the reading of now has left out one of them. */
  isSkipped: boolean;
  /** Undefined: the type may be served. */
  absence: Absence | undefined;
}

/** Types of which each has an entry; the others have one together. */
const mostTypes = 1_000;
const firstWaitMs = 100;
/** Leaves time for the reading, so that an agent waits for no more than the 30 s of a retry. */
const longestWaitMs = 25_000;
/** After so long without space, mailboxes that wait for their agents make space for others. */
const retireMs = 5_000;
/** From the end of a reading to the next one: so many times what it took. */
const pause = { times: 20, leastMs: 1_000, mostMs: 20_000 } as const;
const logRetryMs = 2_000;

/**
 * The mailboxes that are not in memory. It reads the log in turns, and brings as many into memory as there is space for. Each type that
 * no runtime serves waits by one timer.
 */
export class LeftMail {
  readonly #parts: LeftMailParts;
  readonly #types = new Map<string, LeftType>();
  /** Those of `#types` whose mailboxes may come into memory. */
  readonly #open: OpenTypes;
  /** The types beyond `mostTypes`. */
  readonly #rest: LeftType = { isSkipped: false, absence: undefined };
  #isRestLeft = false;
  #isReading = false;
  /** Set from the first page of a reading to the last one. */
  #isUnderWay = false;
  /** The rest of a page, and the place behind which the reading continues. */
  #page: readonly MailReceiver[] = [];
  #after = -1;
  /** Whether messages were left behind this place since the page was asked for. */
  #hasNew = false;
  #readMs = 0;
  #nextMs = 0;
  #pauseTimer: Timer | undefined;
  #retireTimer: Timer | undefined;
  /** Another one after each `clear`. */
  #round = 0;

  constructor(parts: LeftMailParts) {
    this.#parts = parts;
    this.#open = new OpenTypes((type) => parts.hasRoom({ type, key: "" }));
  }

  /** Whether mailboxes are read, or will be soon. One that waits for its agent is not. */
  get isBusy(): boolean {
    return this.#isReading || this.#pauseTimer !== undefined;
  }

  /** Whether mailboxes of a type are not in memory: a new message may be behind others. */
  isLeft(agentType: string): boolean {
    return this.#types.has(agentType) || this.#isRestLeft;
  }

  /** When the oldest message was sent of those that were tried last, one of each type that no runtime serves. Undefined: there is none. */
  oldestSentAtMs(): number | undefined {
    const sent = [...this.#types.values()].flatMap(({ absence }) => absence?.sentAtMs ?? []);
    return sent.length === 0 ? undefined : Math.min(...sent);
  }

  clear(): void {
    for (const { absence } of this.#types.values()) absence?.timer?.cancel();
    this.#pauseTimer?.cancel();
    this.#retireTimer?.cancel();
    this.#types.clear();
    this.#open.clear();
    this.#round += 1;
    this.#isRestLeft = this.#isReading = this.#isUnderWay = false;
    this.#pauseTimer = this.#retireTimer = undefined;
    this.#page = [];
  }

  /** A message at a place is left in the log; place 0: a mailbox is. */
  note(agentType: string, place: number): void {
    const left = this.#leftOf(agentType) ?? this.#rest;
    if (left === this.#rest) this.#isRestLeft = true;
    if (this.#isUnderWay && place > this.#after) this.#hasNew = true;
    else left.isSkipped = true;
    this.#go();
  }

  /** An agent can't be reached since no runtime serves its type. False: it waits by itself. */
  noteAbsent(agentType: string, mailbox: string, sentAtMs: number): "first" | "again" | false {
    const left = this.#leftOf(agentType);
    if (left === undefined) return false;
    const isFirst = left.absence === undefined;
    left.absence ??= { waits: 0, timer: undefined, probe: undefined, sentAtMs };
    const { absence } = left;
    absence.sentAtMs = sentAtMs;
    if (absence.timer === undefined || absence.probe === mailbox) this.#wait(agentType, left, absence);
    return isFirst ? "first" : "again";
  }

  /** An agent of a type was reached. */
  notePresent(agentType: string): void {
    const left = this.#types.get(agentType);
    if (left?.absence === undefined) return;
    left.absence.timer?.cancel();
    left.absence = undefined;
    this.#open.add(agentType);
    this.#go();
  }

  /** A mailbox is not in memory any more. */
  noteRoom(agentType: string, mailbox: string): void {
    if (this.#types.size === 0 && !this.#isRestLeft) return;
    const absence = this.#types.get(agentType)?.absence;
    if (absence !== undefined && absence.probe === mailbox) {
      absence.probe = undefined;
      this.#open.add(agentType);
    }
    this.#go();
  }

  /** Undefined: it is one of the rest. */
  #leftOf(agentType: string): LeftType | undefined {
    const known = this.#types.get(agentType);
    if (known !== undefined || this.#types.size >= mostTypes) return known;
    const left: LeftType = { isSkipped: false, absence: undefined };
    this.#types.set(agentType, left);
    this.#open.add(agentType);
    return left;
  }

  #wait(agentType: string, left: LeftType, absence: Absence): void {
    const { clock, isServed } = this.#parts;
    absence.timer?.cancel();
    absence.probe = undefined;
    this.#open.delete(agentType);
    const delayMs = Math.min(longestWaitMs, firstWaitMs * 2 ** absence.waits);
    absence.waits += 1;
    absence.timer = clock.setTimer(delayMs, () => {
      absence.timer = absence.probe = undefined;
      if (isServed(agentType)) left.absence = undefined;
      this.#open.add(agentType);
      this.#go();
    });
  }

  /** Reads on if a mailbox may come into memory. */
  #go(): void {
    if (this.#isReading || this.#pauseTimer !== undefined) return;
    if (!this.#mayTake()) return this.#awaitRoom();
    const { clock } = this.#parts;
    const waitMs = this.#isUnderWay ? 0 : this.#nextMs - clock.now();
    if (waitMs > 0) this.#pauseFor(waitMs);
    else void this.#read();
  }

  /** Whether a mailbox may come into memory. It looks at some types; `all`: at all. */
  #mayTake(which?: "all"): boolean {
    const hasRoom = which === "all" ? this.#open.hasRoom(this.#open.size) : this.#open.hasRoom();
    return hasRoom || (this.#isRestLeft && this.#parts.hasRoom({ type: "", key: "" }));
  }

  #pauseFor(delayMs: number): void {
    this.#pauseTimer = this.#parts.clock.setTimer(delayMs, () => {
      this.#pauseTimer = undefined;
      this.#go();
      this.#parts.onChange();
    });
    this.#parts.onChange();
  }

  #awaitRoom(): void {
    if (this.#retireTimer !== undefined || (this.#open.size === 0 && !this.#isRestLeft)) return;
    this.#retireTimer = this.#parts.clock.setTimer(retireMs, () => {
      this.#retireTimer = undefined;
      if (this.#mayTake("all")) return this.#go();
      const isFull = !this.#parts.hasRoom({ type: "", key: "" });
      this.#parts.retire((type) => isFull || this.#open.has(type) || this.#isRestLeft);
      this.#go();
    });
  }

  async #read(): Promise<void> {
    const round = this.#round;
    const { log, clock, logger } = this.#parts;
    this.#isReading = true;
    this.#parts.onChange();
    try {
      if (!this.#isUnderWay) this.#begin();
      while (this.#takePage()) {
        this.#hasNew = false;
        const fromMs = clock.now();
        const page = await log.receivers(this.#after);
        if (round !== this.#round) return;
        this.#readMs += clock.now() - fromMs;
        this.#page = page;
        if (page.length > 0 || this.#hasNew) continue;
        this.#end();
        break;
      }
      this.#isReading = false;
      this.#go();
    } catch (error) {
      if (round !== this.#round) return;
      this.#isReading = false;
      const fields = { error: loggableError(TroupeError.from(error)) };
      logger.error("The log can't say which agents have mail; it is asked again in 2 s", fields);
      this.#pauseFor(logRetryMs);
    }
    this.#parts.onChange();
  }

  #begin(): void {
    this.#isUnderWay = true;
    this.#after = -1;
    this.#readMs = 0;
    for (const left of [...this.#types.values(), this.#rest]) left.isSkipped = false;
  }

  /** A type of which all mailboxes are in memory is left no more. */
  #end(): void {
    this.#isUnderWay = false;
    this.#nextMs =
      this.#parts.clock.now() + Math.max(pause.leastMs, Math.min(pause.mostMs, pause.times * this.#readMs));
    for (const [type, { isSkipped, absence }] of this.#types) {
      if (isSkipped || absence?.probe !== undefined) continue;
      absence?.timer?.cancel();
      this.#types.delete(type);
      this.#open.delete(type);
    }
    this.#isRestLeft = this.#rest.isSkipped;
  }

  /** Takes what has space of the page. False: nothing has space any more. */
  #takePage(): boolean {
    for (const [index, receiver] of this.#page.entries()) {
      if (!this.#mayTake()) {
        this.#page = this.#page.slice(index);
        return false;
      }
      this.#after = receiver.place;
      this.#offer(receiver);
    }
    this.#page = [];
    return this.#mayTake();
  }

  #offer(receiver: MailReceiver): void {
    const { mailbox } = receiver;
    const { type } = mailbox;
    const { hasRoom, isInMemory, open, isServed } = this.#parts;
    const left = this.#types.get(type) ?? (this.#isRestLeft ? this.#rest : undefined);
    if (left === undefined || isInMemory(mailbox)) return;
    if ((left !== this.#rest && !this.#open.has(type)) || !hasRoom(mailbox)) {
      left.isSkipped = true;
      return;
    }
    const { absence } = left;
    if (absence !== undefined && isServed(type)) {
      absence.timer?.cancel();
      left.absence = undefined;
    }
    const text = open(receiver);
    if (left.absence === undefined) return;
    // If the outcome of this one takes longer, another is tried.
    this.#wait(type, left, left.absence);
    left.absence.probe = text;
  }
}
