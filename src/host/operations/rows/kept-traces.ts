import type { MessageSender } from "../../observer.ts";

/** The target and the outcome of a call or an event. */
export interface HopFacts {
  /** The target of a call. Null for an event. */
  readonly type: string | null;
  readonly key: string | null;
  /** The topic type of an event. Null for a call. */
  readonly topic: string | null;
  readonly outcome: string;
  readonly code: string | null;
  /** False: the host found no worker for the call, so that its type may be anything. */
  readonly isPlaced: boolean;
  /** True: another host has sent the call for a caller there, and has it among its own, too. */
  readonly isOfOtherHost: boolean;
}

/** A call or an event of a trace, with its outcome. */
export interface TracedHop extends HopFacts {
  readonly at: "call" | "event";
  /** When it came, by the host's clock. */
  readonly startedMs: number;
  readonly ms: number;
  /** Undefined: it names none. */
  readonly sender: MessageSender | undefined;
}

/** The hops of one trace, in the order of their outcomes. */
export interface KeptTrace {
  readonly traceId: string;
  /** Grows with each trace. */
  readonly number: number;
  readonly hops: readonly TracedHop[];
  /** True: it had more hops than are kept. */
  readonly isCut: boolean;
}

/** The traces that a host keeps from the first question on. */
export interface KeptTraces {
  /** The newest first. */
  list(): readonly KeptTrace[];
  /** Undefined: none is kept under this id. */
  get(traceId: string): KeptTrace | undefined;
}
