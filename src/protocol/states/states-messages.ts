import type {
  AgentName,
  CommitOutcome,
  Epoch,
  ErrorCode,
  Expected,
  RememberedMessage,
  ReminderChange,
  RunChange,
  RunState,
  StateRecord,
  StateWrite,
  StoredReminder,
  StoredRun,
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
  readonly runs: readonly RunChange[];
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

// protocol.md §11.24
/** Asks for a part of a run. */
export interface RunAsk {
  readonly kind: "run";
  readonly seq: number;
  readonly agent: AgentName;
  readonly id: string;
  /** Place of the first chunk. */
  readonly from: number;
  /** Whether the answer has the run's message. */
  readonly message: boolean;
  /** Bytes of the chunks at most; 0: as the host likes. */
  readonly maxBytes: number;
}

/** Asks for the runs of an agent. */
export interface RunsAsk {
  readonly kind: "runs";
  readonly seq: number;
  readonly agent: AgentName;
  /** Undefined: in each state. */
  readonly status: RunState | undefined;
  /** The id with which the last page ended; empty: from the first. */
  readonly after: string;
  /** Runs at most; 0: as the host likes. */
  readonly limit: number;
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

/** A stored run of the agent that was asked for. */
export type WireRun = Omit<StoredRun, "agent">;

/** Answers a question for a part of a run. */
export interface RunAnswer {
  readonly kind: "run";
  readonly seq: number;
  readonly outcome:
    | {
        readonly at: "found";
        readonly run: WireRun;
        readonly message: Uint8Array | undefined;
        readonly from: number;
        readonly chunks: readonly Uint8Array[];
        readonly outcome: Uint8Array | undefined;
      }
    | { readonly at: "nothing" }
    | StateFailure;
}

/** Answers a question for the runs of an agent. */
export interface RunsAnswer {
  readonly kind: "runs";
  readonly seq: number;
  readonly outcome:
    | { readonly at: "listed"; readonly runs: readonly WireRun[]; readonly isLast: boolean }
    | StateFailure;
}

/** A message from a worker on the stream of states. `empty`: of a kind that this version does not know. */
export type StatesAsk =
  | LoadAsk
  | CommitAsk
  | RemindersAsk
  | RememberedAsk
  | RunAsk
  | RunsAsk
  | HeartbeatFrame
  | { readonly kind: "empty" };

/** A message from a host on the stream of states. */
export type StatesAnswer =
  | LoadedAnswer
  | CommittedAnswer
  | RemindersAnswer
  | RememberedAnswer
  | RunAnswer
  | RunsAnswer
  | HeartbeatFrame
  | { readonly kind: "empty" };
