import type {
  AgentName,
  CommitOutcome,
  Epoch,
  ErrorCode,
  Expected,
  RememberedMessage,
  ReminderChange,
  StateRecord,
  StateWrite,
  StoredReminder,
} from "../../core/internal.ts";
import type { HeartbeatFrame } from "../frames/frame.ts";

// protocol.md §11.15
/** Asks for a record. The answer has the same `seq`, as for each ask. */
export interface LoadAsk {
  readonly kind: "load";
  readonly seq: number;
  readonly agent: AgentName;
  /** Undefined: the type is exclusive, and the worker must serve it. */
  readonly epoch: Epoch | undefined;
  /** The eTag of the record that the worker has. */
  readonly unless: string | undefined;
}

/** A message that the host keeps with a commit until it was delivered. */
export interface WireMail {
  readonly id: string;
  /** A message of the data channel with a call. */
  readonly message: Uint8Array;
}

/** Asks for a commit. What rides on it leaves the host when the store has written. */
export interface CommitAsk {
  readonly kind: "commit";
  readonly seq: number;
  readonly agent: AgentName;
  readonly epoch: Epoch | undefined;
  readonly expected: Expected;
  readonly write: StateWrite;
  /** Messages of the data channel with an answer. */
  readonly answers: readonly Uint8Array[];
  /** Messages of the data channel with an event. */
  readonly events: readonly Uint8Array[];
  readonly mail: readonly WireMail[];
  readonly reminders: readonly ReminderChange[];
  readonly remembered: readonly RememberedMessage[];
}

/** Asks for the reminders of an agent. */
export interface RemindersAsk {
  readonly kind: "reminders";
  readonly seq: number;
  readonly agent: AgentName;
}

/** Asks whether an agent has handled a message. */
export interface RememberedAsk {
  readonly kind: "remembered";
  readonly seq: number;
  readonly agent: AgentName;
  readonly id: string;
  readonly principal: string;
}

/** Says why an ask was not served. */
export interface StateFailure {
  readonly at: "failed";
  readonly code: ErrorCode;
  readonly text: string;
}

/** Answers a load. */
export interface LoadedAnswer {
  readonly kind: "loaded";
  readonly seq: number;
  readonly outcome:
    | { readonly at: "record"; readonly record: StateRecord }
    | { readonly at: "unchanged" }
    | { readonly at: "nothing" }
    | StateFailure;
}

/** The outcome of a commit at the host. `failed`: nothing has changed. `unknown`: it may have happened. */
export type HostedOutcome =
  | CommitOutcome
  | StateFailure
  | { readonly at: "unknown"; readonly code: ErrorCode; readonly text: string };

/** Answers a commit. */
export interface CommittedAnswer {
  readonly kind: "committed";
  readonly seq: number;
  readonly outcome: HostedOutcome;
}

/** Answers a question for reminders. */
export interface RemindersAnswer {
  readonly kind: "reminders";
  readonly seq: number;
  readonly outcome:
    | { readonly at: "listed"; readonly reminders: readonly Omit<StoredReminder, "agent">[] }
    | StateFailure;
}

/** Answers a question for a message that an agent has handled. */
export interface RememberedAnswer {
  readonly kind: "remembered";
  readonly seq: number;
  readonly outcome:
    | { readonly at: "found"; readonly answer: Uint8Array | undefined }
    | { readonly at: "nothing" }
    | StateFailure;
}

/** A message from a worker on the stream of states. `empty`: of a kind that this version does not know. */
export type StatesAsk =
  | LoadAsk
  | CommitAsk
  | RemindersAsk
  | RememberedAsk
  | HeartbeatFrame
  | { readonly kind: "empty" };

/** A message from a host on the stream of states. */
export type StatesAnswer =
  | LoadedAnswer
  | CommittedAnswer
  | RemindersAnswer
  | RememberedAnswer
  | HeartbeatFrame
  | { readonly kind: "empty" };
