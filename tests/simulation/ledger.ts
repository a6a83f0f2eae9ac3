import { type AgentId, TroupeError, UndeliverableException } from "../../src/core/index.ts";
import { errorText } from "../../src/core/internal.ts";
import type { SimulatedProcess } from "../../src/testing/index.ts";
import { HostHearing } from "./host-hearing.ts";
import { KeptLedger, type Turn } from "./kept/kept-ledger.ts";
import type { PlannedCall } from "./plan.ts";
import { StreamLedger } from "./streams.ts";
import type { Trace } from "./trace.ts";

export type Outcome =
  | { readonly at: "answered"; readonly value: unknown }
  | { readonly at: "failed"; readonly code: string; readonly text: string; readonly isUnhandled: boolean };

/** One run of a handler for a call. */
export interface Run {
  readonly token: string;
  readonly agent: string;
  readonly process: string;
  readonly begunMs: number;
  ended: "answered" | "threw" | undefined;
  endedMs: number;
  /** The code with which its signal aborted, and when. */
  told: { readonly code: string; readonly atMs: number } | undefined;
}

export interface CallRecord {
  readonly name: string;
  readonly plan: PlannedCall;
  readonly target: AgentId;
  readonly callerSeat: number;
  /** Seats that serve the target's type. */
  readonly servers: readonly number[];
  /** The call in whose handler this one was made. */
  readonly parent: CallRecord | undefined;
  /** The run of that handler: a call that is made again may have several, some in processes that are dead. */
  readonly parentRun: Run | undefined;
  readonly process: SimulatedProcess;
  readonly startedAt: number;
  readonly startedMs: number;
  readonly runs: Run[];
  abortedMs: number | undefined;
  /** A bound that came with the signal of the handler that made the call. */
  isBoundByCaller: boolean;
  outcome: Outcome | undefined;
  endedAt: number;
  endedMs: number;
}

export interface EventRecord {
  readonly name: string;
  readonly seat: number;
  readonly process: SimulatedProcess;
  /** Its place among the events of its process. */
  readonly order: number;
  readonly topic: string;
  readonly sender: AgentId | undefined;
  /** The turn of a persistent agent that published it: it leaves when that is written. */
  readonly turn: Turn | undefined;
  readonly publishedAt: number;
  outcome: "published" | "refused" | undefined;
  readonly receipts: Receipt[];
  /** Persistent agents whose handlers had it. */
  readonly keptReceipts: string[];
}

export interface Receipt {
  readonly seat: number;
  readonly agent: string;
  readonly process: string;
  readonly at: number;
}

/** A subscription as its worker believes it to be. `to`: when it was given up, or the process died. */
export interface SubscriptionRecord {
  readonly seat: number;
  readonly process: SimulatedProcess;
  readonly agentType: string;
  readonly matches: (topic: string) => boolean;
  readonly asked: number;
  confirmed: number | undefined;
  to: number | undefined;
}

/** Any other request to a runtime. */
export interface RequestRecord {
  readonly name: string;
  readonly process: SimulatedProcess | undefined;
  isSettled: boolean;
}

/** A time in which somebody's service is disturbed by a fault; `to` undefined: still. */
interface Disturbance {
  readonly from: number;
  to: number | undefined;
}

/** What hosts dropped and counted, since a queue was full. */
export interface Overflow {
  readonly droppedEvents: number;
  readonly overloadedCalls: number;
  readonly overflowedChannels: number;
}

/** All that was asked for and all that came of it, in one order of moments. The checkers read it. */
export class Ledger {
  readonly calls: CallRecord[] = [];
  readonly events: EventRecord[] = [];
  readonly subscriptions: SubscriptionRecord[] = [];
  readonly requests: RequestRecord[] = [];
  /** When the worker of a process began to change its connection, and when the older one ended. */
  readonly changes: { readonly process: SimulatedProcess; readonly at: number; endedAt: number }[] = [];
  readonly kept: KeptLedger;
  readonly streams = new StreamLedger();
  readonly hearing: HostHearing;
  /** The seats that serve a type of persistent agents. */
  serversOf: (type: string) => readonly number[] = () => [];
  /** Agent types whose agents take one message after the other. */
  readonly sequentialTypes = new Set<string>();
  /** Whether a worker bounds its handlers, so that a call may wait for something else than its turn. */
  hasSlots = false;
  /** What was seen at once to be against a promise. */
  readonly breaches: { readonly checker: string; readonly text: string }[] = [];
  readonly trace: Trace;
  /** Up to this moment. */
  overflow: () => Overflow = () => ({ droppedEvents: 0, overloadedCalls: 0, overflowedChannels: 0 });
  readonly #now: () => number;
  #endOfStory = Number.POSITIVE_INFINITY;
  readonly #retired = new Map<SimulatedProcess, number>();
  readonly #disturbances = new Map<string, Disturbance[]>();
  readonly #callsByName = new Map<string, CallRecord>();
  readonly #eventsByName = new Map<string, EventRecord>();
  #moment = 0;

  constructor(trace: Trace, now: () => number) {
    this.trace = trace;
    this.#now = now;
    this.hearing = new HostHearing(now);
    this.kept = new KeptLedger({ moment: () => this.moment(), now, note: (text) => trace.note(text) });
  }

  isKeptType(type: string): boolean {
    return this.serversOf(type).length > 0;
  }

  /** Moments count what was written down, so that no two are the same. */
  moment(): number {
    this.#moment += 1;
    return this.#moment;
  }

  /** Calls of the living that have no outcome yet. */
  get openCalls(): number {
    return this.calls.filter(({ outcome, process }) => outcome === undefined && process.isAlive).length;
  }

  callNamed(name: string): CallRecord | undefined {
    return this.#callsByName.get(name);
  }

  eventNamed(name: string): EventRecord | undefined {
    return this.#eventsByName.get(name);
  }

  breach(checker: string, text: string): void {
    this.trace.note(`BREACH ${checker}: ${text}`);
    this.breaches.push({ checker, text });
  }

  openCall(
    details: Pick<CallRecord, "plan" | "target" | "callerSeat" | "servers" | "process" | "parent" | "parentRun">,
  ): CallRecord {
    const record: CallRecord = {
      ...details,
      name: `c${this.calls.length}`,
      startedAt: this.moment(),
      startedMs: this.#now(),
      runs: [],
      abortedMs: undefined,
      isBoundByCaller: false,
      outcome: undefined,
      endedAt: Number.POSITIVE_INFINITY,
      endedMs: Number.POSITIVE_INFINITY,
    };
    this.calls.push(record);
    this.#callsByName.set(record.name, record);
    this.trace.note(`${record.process.name} calls ${record.target} as ${record.name}`);
    return record;
  }

  closeCall(record: CallRecord, outcome: Outcome): void {
    // A dead process has no callers.
    if (!record.process.isAlive) return;
    record.outcome = outcome;
    record.endedAt = this.moment();
    record.endedMs = this.#now();
    this.trace.note(
      `${record.name} ${outcome.at === "answered" ? "is answered" : `fails: ${outcome.code} ${outcome.text}`}`,
    );
  }

  openEvent(details: Pick<EventRecord, "seat" | "process" | "topic" | "sender" | "turn">): EventRecord {
    const order = this.events.length;
    const record: EventRecord = {
      ...details,
      name: `e${order}`,
      order,
      publishedAt: this.moment(),
      outcome: undefined,
      receipts: [],
      keptReceipts: [],
    };
    details.turn?.effects.push(record.name);
    this.events.push(record);
    this.#eventsByName.set(record.name, record);
    this.trace.note(`${record.process.name} publishes ${record.name} on ${record.topic}`);
    return record;
  }

  /** Something else that has to come to an end, whichever. */
  follow<T>(name: string, process: SimulatedProcess | undefined, promise: Promise<T>): Promise<T> {
    const record: RequestRecord = { name, process, isSettled: false };
    this.requests.push(record);
    this.trace.note(`${name} begins`);
    const settle = (how: string) => {
      record.isSettled = true;
      this.trace.note(`${name} ${how}`);
    };
    promise.then(
      () => settle("is done"),
      (error: unknown) => settle(`fails: ${outcomeOf(error).code} ${errorText(error)}`),
    );
    return promise;
  }

  /** The worker of this process is stopped for good; what its agents still try is their own affair. */
  retire(process: SimulatedProcess): void {
    this.#retired.set(process, this.moment());
  }

  isRetired(process: SimulatedProcess, at: number): boolean {
    return at >= (this.#retired.get(process) ?? Number.POSITIVE_INFINITY);
  }

  /** The service of a seat, or of "host", is not what it should be from now on. */
  disturb(party: string): void {
    const disturbances = this.#disturbances.get(party) ?? [];
    this.#disturbances.set(party, disturbances);
    if (disturbances.at(-1)?.to === undefined && disturbances.length > 0) return;
    disturbances.push({ from: this.moment(), to: undefined });
  }

  recover(party: string): void {
    const last = this.#disturbances.get(party)?.at(-1);
    if (last !== undefined) last.to ??= this.moment();
  }

  isDisturbed(party: string): boolean {
    const last = this.#disturbances.get(party)?.at(-1);
    return last !== undefined && last.to === undefined;
  }

  /** From here on everybody stops: that is no fault. */
  endStory(): void {
    this.#endOfStory = this.moment();
  }

  /** Whether something had an end before everybody stopped. */
  hasEnded(at: number | undefined): boolean {
    return at !== undefined && at < this.#endOfStory;
  }

  /** Whether none of these was disturbed between the first moment and the second, or the end of the story. */
  wereQuiet(parties: readonly string[], from: number, to = this.#endOfStory): boolean {
    // The end is no fault, and no quiet time either.
    if (from >= this.#endOfStory) return false;
    // Whose channel the host has ended for reading too slowly is not known here.
    if (this.overflow().overflowedChannels > 0) return false;
    return parties.every((party) =>
      (this.#disturbances.get(party) ?? []).every(
        (disturbance) => disturbance.from > to || (disturbance.to ?? Number.POSITIVE_INFINITY) < from,
      ),
    );
  }
}

/** The part of a seat's service that goes on when an operator drains its worker: its agents of shared types live on elsewhere. */
export function sharedPart(seat: string): string {
  return `shared types of ${seat}`;
}

export function outcomeOf(error: unknown): Extract<Outcome, { readonly at: "failed" }> {
  const code = error instanceof TroupeError ? error.code : `untyped ${error instanceof Error ? error.name : "value"}`;
  const isUnhandled = error instanceof UndeliverableException && error.notHandled === true;
  return { at: "failed", code, text: errorText(error), isUnhandled };
}
