import {
  type KeptBehaviour,
  type KeptFault,
  type KeptTarget,
  type KeptWork,
  keptFaultKinds,
  leaveFaultKinds,
  type PlannedType,
} from "./kept/plan.ts";
import type { PlannedStream } from "./streams.ts";

/** What one handler does when it is called. */
export interface Behaviour {
  /** Milliseconds before anything else. */
  readonly delayMs: number;
  /** Calls it makes, one after the other; their failures don't bother it. */
  readonly nested: readonly PlannedCall[];
  /** Topics it publishes an event to. */
  readonly publishes: readonly string[];
  /** `patient` waits for its signal and then throws; `never` does not even that. */
  readonly ends: "answers" | "throws" | "never" | "patient";
  /** What a turn of a persistent agent does beside. */
  readonly kept?: KeptBehaviour | undefined;
}

export interface PlannedCall {
  /** The seat whose agent is asked; undefined: a type that nobody serves. */
  readonly target: number | undefined;
  /** A persistent agent is asked, not that of a seat. */
  readonly kept?: KeptTarget | undefined;
  readonly key: string;
  readonly timeoutMs: number | undefined;
  /** Milliseconds until the caller's signal aborts. */
  readonly abortAfterMs: number | undefined;
  /** Whether it is made with the handler's own signal (nested calls only). */
  readonly inheritsSignal: boolean;
  readonly behaviour: Behaviour;
  /** Its answer comes in parts, which the caller reads. */
  readonly stream?: PlannedStream | undefined;
}

/** What somebody asks of a runtime. */
export type Work =
  | KeptWork
  | { readonly do: "call"; readonly seat: number; readonly call: PlannedCall }
  | {
      readonly do: "publish";
      readonly seat: number;
      readonly topic: string;
      readonly count: number;
      readonly byAgent: boolean;
    }
  | { readonly do: "subscribe"; readonly seat: number; readonly topic: string; readonly isPrefix: boolean }
  | { readonly do: "unsubscribe"; readonly seat: number }
  | { readonly do: "register"; readonly seat: number; readonly name: string }
  | {
      readonly do: "state";
      readonly seat: number;
      readonly target: number;
      readonly what: "save" | "load" | "describe";
    };

/** What breaks, or is ended and begun again. */
export type Fault = KeptFault | PlainFault;

export type PlainFault =
  | { readonly do: "cut"; readonly seat: number }
  | { readonly do: "stall"; readonly seat: number; readonly forMs: number; readonly thenCut: boolean }
  | { readonly do: "slow-reader"; readonly seat: number; readonly forMs: number }
  | { readonly do: "kill-worker" | "restart-worker"; readonly seat: number; readonly downMs: number }
  | { readonly do: "stop-and-start"; readonly seat: number; readonly downMs: number }
  | { readonly do: "kill-host"; readonly downMs: number }
  | { readonly do: "restart-host"; readonly graceMs: number; readonly downMs: number };

export type Action = Work | Fault;

export const plainFaultKinds = [
  "cut",
  "stall",
  "slow-reader",
  "kill-worker",
  "restart-worker",
  "stop-and-start",
  "kill-host",
  "restart-host",
] as const;
export type PlainFaultKind = (typeof plainFaultKinds)[number];
export const faultKinds = [...plainFaultKinds, ...keptFaultKinds, ...leaveFaultKinds] as const;

export function isFault(action: Action): action is Fault {
  return faultKinds.some((kind) => kind === action.do);
}

export interface PlannedAction {
  readonly atMs: number;
  readonly action: Action;
}

/** A whole run: the world's make-up and what happens in it. All of it follows from the seed. */
export interface Plan {
  readonly seed: number;
  readonly seats: readonly PlannedSeat[];
  /** Types of persistent agents. None: no worker keeps anything. */
  readonly kept: readonly PlannedType[];
  /** What agents and programs tell goes by durable events, to types with a durable subscription. Default: by told messages. */
  readonly tellsByEvents?: boolean | undefined;
  readonly windowBytes: number;
  readonly highWaterBytes: number;
  /** What the host lets wait for one worker, and what it does with more; undefined: as much as it likes. */
  readonly hostQueue: { readonly maxQueuedFrames: number; readonly whenFull: "drop" | "disconnect" } | undefined;
  readonly actions: readonly PlannedAction[];
  /** Who goes first when all is done. */
  readonly lastToStop: "host" | "workers";
  /** Calls that are under way when the stop begins. */
  readonly callsAtStop: readonly { readonly seat: number; readonly call: PlannedCall }[];
}

export interface PlannedSeat {
  readonly topics: readonly string[];
  readonly sequentialAgents: boolean;
  readonly drainTimeoutMs: number;
  /** Milliseconds it takes to make an agent. */
  readonly makeMs: number;
  /** Whether the worker comes back to its host by itself; else its process starts it again. */
  readonly reconnects: boolean;
  readonly eventsWhileDisconnected: "queue" | "reject";
  readonly callsWhileDisconnected: "queue" | "reject";
  /** 0: none. */
  readonly keepAliveMs: number;
  readonly maxConcurrentHandlers: number;
}
