import type {
  AgentName,
  AppendOutcome,
  Commit,
  CommitOutcome,
  DeadPage,
  DeadQuery,
  DeadReason,
  DueQuery,
  DurableMessage,
  KeptMessage,
  LargerState,
  ListPage,
  ListQuery,
  MailBounds,
  MailPageQuery,
  MailQuery,
  RememberedMessage,
  ReminderQuery,
  RunList,
  RunName,
  RunPage,
  RunPageQuery,
  RunQuery,
  Settlements,
  StateRecord,
  StoredMail,
  StoredReminder,
  StoreErrorCode,
  StoreOpening,
  StoreStats,
} from "../../core/internal.ts";

/** The arguments of each question that a store asks its database. `nowMs` is the wall clock's. */
export interface Questions {
  readonly open: { readonly takesOver: boolean; readonly nowMs: number };
  readonly commit: { readonly commits: readonly Commit[]; readonly nowMs: number };
  readonly settle: { readonly done: Settlements };
  readonly append: { readonly mailbox: AgentName; readonly message: DurableMessage; readonly nowMs: number };
  readonly bury: { readonly message: KeptMessage; readonly why: DeadReason; readonly nowMs: number };
  readonly replay: { readonly letters: readonly string[]; readonly nowMs: number };
  readonly drop: { readonly letters: readonly string[] };
  readonly mailPage: { readonly query: MailPageQuery };
  readonly deadLetters: { readonly query: DeadQuery; readonly nowMs: number };
  /** `maxBytes`: of data that is read. */
  readonly load: { readonly agent: AgentName; readonly unless: string | undefined; readonly maxBytes: number };
  readonly remembered: {
    readonly agent: AgentName;
    readonly messageId: string;
    readonly principal: string;
    readonly nowMs: number;
  };
  readonly list: { readonly query: ListQuery };
  readonly reminders: { readonly agent: AgentName; readonly query: ReminderQuery };
  readonly due: { readonly query: DueQuery };
  readonly mail: { readonly query: MailQuery };
  readonly readRun: { readonly run: RunName; readonly query: RunPageQuery; readonly nowMs: number };
  readonly listRuns: { readonly query: RunQuery; readonly nowMs: number };
  readonly stats: object;
  /** Looks whether the file is still there, and takes the lock if it was left to another holder. */
  readonly look: object;
  readonly close: object;
}

/** The answers to them. */
export interface Answers {
  readonly open: StoreOpening;
  readonly commit: readonly CommitOutcome[];
  readonly settle: undefined;
  readonly append: AppendOutcome;
  /** How many others were forgotten. */
  readonly bury: number;
  /** How many there were. */
  readonly replay: number;
  readonly drop: number;
  readonly mailPage: readonly StoredMail[];
  readonly deadLetters: DeadPage;
  readonly load: StateRecord | LargerState | "unchanged" | undefined;
  readonly remembered: RememberedMessage | undefined;
  readonly list: ListPage;
  readonly reminders: readonly StoredReminder[];
  readonly due: readonly StoredReminder[];
  readonly mail: readonly StoredMail[];
  readonly readRun: RunPage | undefined;
  readonly listRuns: RunList;
  readonly stats: StoreStats;
  readonly look: undefined;
  readonly close: undefined;
}

export type Kind = keyof Questions;

/** Bytes of a question that has no data. */
export const smallAskBytes = 100;

/** One question, with the number of its answer and about how many bytes it has. */
export type Ask = {
  readonly [K in Kind]: Questions[K] & { readonly kind: K; readonly id: number; readonly bytes: number };
}[Kind];

export type AskOf<K extends Kind> = Ask & { readonly kind: K };

/** Writes of the log, each of which has an answer. */
export type LogAsk = AskOf<"append"> | AskOf<"bury"> | AskOf<"replay"> | AskOf<"drop">;

/** Questions that write. Those that wait together are one transaction. */
export type WriteAsk = AskOf<"commit"> | AskOf<"settle"> | LogAsk;

const writes: ReadonlySet<Kind> = new Set<Kind>(["commit", "settle", "append", "bury", "replay", "drop"]);

/** Whether a question writes. */
export function isWrite(ask: Ask): ask is WriteAsk {
  return writes.has(ask.kind);
}

/** A `StoreError` on its way between threads. */
export interface StoreFailure {
  readonly storeCode: StoreErrorCode;
  readonly message: string;
}

/** The answer to the question with this number. */
export type Reply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: StoreFailure };

/** The options of a database, which go to its thread. */
export interface DatabaseOptions {
  readonly file: string;
  /** Reads only: neither the file nor its folder need be writable. */
  readonly readOnly: boolean;
  readonly synchronous: "full" | "normal";
  readonly maxValueBytes: number;
  readonly mail: MailBounds;
  /** Infinity: no limit. */
  readonly maxFileBytes: number;
  readonly checksOnOpen: boolean;
  readonly busyTimeoutMs: number;
  /** The incarnation of an earlier thread of the same store. Another one in the file means that it was taken over. */
  readonly heldIncarnation: number;
  /** Names this store among all that have opened the file. Its threads share it. */
  readonly storeId: string;
}
