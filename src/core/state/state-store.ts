import type { AgentName } from "./agent-name.ts";
import type { DurableLog } from "./durable-log.ts";
import type { Epoch } from "./epoch.ts";
import type { RunChange, RunList, RunName, RunPage, RunPageQuery, RunQuery } from "./stored-runs.ts";

/** A stored state. */
export interface StateRecord {
  /** Names this version. Never empty; a store never uses one twice, not even for a record that was deleted and made again. */
  readonly eTag: string;
  /** 1 with the first save of a record; each save adds 1. */
  readonly revision: number;
  /** Version of the state's definition. 0: the writer named none. */
  readonly schemaVersion: number;
  readonly contentType: string;
  /** The caller may change these bytes. */
  readonly data: Uint8Array;
  /** When it was saved: wall clock, milliseconds since 1970. */
  readonly savedAtMs: number;
  /** The newest epoch that wrote to this agent. Undefined: no writer named one. */
  readonly epoch: Epoch | undefined;
}

/** The answer for a stored state that has more data than its reader takes. */
export interface LargerState {
  readonly at: "larger";
  /** Bytes of its data. */
  readonly bytes: number;
}

/** The version that must be stored for a commit to happen. */
export type Expected =
  | { readonly at: "anything" }
  | { readonly at: "nothing" }
  /** The record that has this eTag. */
  | { readonly at: "version"; readonly eTag: string };

/** The part of a commit that changes the record. */
export type StateWrite =
  | {
      readonly at: "put";
      readonly contentType: string;
      readonly schemaVersion: number;
      readonly data: Uint8Array;
    }
  /** Deletes the record, the agent's reminders, its runs, what it remembers, and mail to it. What the same commit adds is written after that. */
  | { readonly at: "delete" }
  /** The record stays as it is, and its eTag too. */
  | { readonly at: "keep" };

/** A reminder that a commit sets or cancels. Setting one of the same name replaces it. */
export type ReminderChange =
  | {
      readonly at: "set";
      readonly name: string;
      /** Wall clock, milliseconds since 1970. */
      readonly dueMs: number;
      /** Says when it is due again. The store does not read it. */
      readonly rule: string;
      readonly message: Uint8Array;
    }
  | { readonly at: "cancel"; readonly name: string };

/** A message that has to reach another agent. */
export interface Mail {
  readonly id: string;
  readonly receiver: AgentName;
  /**
   * `emptied`: no message but a mark of a deleted agent. The frame is the last place of a shared log whose messages are to go from its mailbox.
   * No bound of mail counts it, so that an agent can be deleted when the mail is full. A mailbox has one at most.
   */
  readonly kind: "call" | "event" | "emptied";
  /** The message as it goes over the wire. */
  readonly frame: Uint8Array;
  /**
   * Whether the mailbox keeps it only if it was given no message of this id in the last 10 minutes. If it was, the commit happens without
   * this one. Default: false.
   */
  readonly isOnce?: boolean | undefined;
  /**
   * The fate of the message if its mailbox has no space. `refuse`: the commit is refused. `bury`: the commit happens, and this message is a dead
   * letter for the reason `mailbox-full`. A store without mailboxes keeps it. Default: `refuse`.
   */
  readonly whenFull?: "refuse" | "bury" | undefined;
}

/** A message that an agent has handled, so that it is not handled twice. A later one of the same id and principal replaces it. */
export interface RememberedMessage {
  readonly id: string;
  /** The principal of its sender; empty if the host knows none. Ids of different principals are different. */
  readonly principal: string;
  /** Undefined: the message was mail, which has no answer. */
  readonly answer?: Uint8Array | undefined;
}

/** One write to a store: a record with everything that belongs to it. All of it happens, or nothing. */
export interface Commit {
  readonly agent: AgentName;
  /** The commit is `stale` if the stored epoch is newer; else this one is stored. Undefined: not compared, and the stored one stays. */
  readonly epoch: Epoch | undefined;
  readonly expected: Expected;
  readonly write: StateWrite;
  readonly reminders: readonly ReminderChange[];
  readonly mail: readonly Mail[];
  readonly remembered: readonly RememberedMessage[];
  /** In their order. If one of them can't be written, nothing of the commit is. Default: none. */
  readonly runs?: readonly RunChange[] | undefined;
}

/** The outcome of a commit. Only `committed` has changed anything. */
export type CommitOutcome =
  /**
   * The eTag and the revision that hold now; an empty text and 0 if no record is stored. `knownMail`: indexes of the mail that was left out,
   * since its mailbox was given it before. `buriedMail`: indexes of the mail that found no space and is a dead letter. `forgottenLetters`: how
   * many other dead letters were forgotten for these. Default: none.
   */
  | {
      readonly at: "committed";
      readonly eTag: string;
      readonly revision: number;
      readonly knownMail?: readonly number[] | undefined;
      readonly buriedMail?: readonly number[] | undefined;
      readonly forgottenLetters?: number | undefined;
    }
  /**
   * Another version is stored; its eTag. Undefined: no record is stored. `run`: a change does not fit the run of this id, though the record may
   * be the expected one. The run is there already, has ended, is not there, or its next chunk has another place.
   */
  | { readonly at: "conflict"; readonly eTag?: string | undefined; readonly run?: string | undefined }
  /** A commit under this newer epoch was there before. */
  | { readonly at: "stale"; readonly epoch: Epoch }
  /**
   * This commit is over a limit of the store; `limit` names it, for people. `isMailboxFull`: the limit is one of mail, which may have space
   * later. Default: false. `mailbox`: the first that has none.
   */
  | {
      readonly at: "refused";
      readonly limit: string;
      readonly isMailboxFull?: boolean | undefined;
      readonly mailbox?: AgentName | undefined;
    };

/** A reminder as it is stored. */
export interface StoredReminder {
  readonly agent: AgentName;
  readonly name: string;
  readonly dueMs: number;
  readonly rule: string;
  readonly message: Uint8Array;
  /** Another one each time the reminder is set or settled; it rises. */
  readonly seq: number;
  /** Times that this tick was tried. */
  readonly attempts: number;
}

/** Says that a reminder has fired. It changes nothing if the reminder's `seq` is another one by now. */
export interface ReminderTick {
  readonly agent: AgentName;
  readonly name: string;
  readonly seq: number;
  /** Undefined: the reminder is over. */
  readonly nextDueMs: number | undefined;
  readonly attempts: number;
  /** Replaces the rule. Undefined: it stays. */
  readonly rule?: string | undefined;
}

/** Mail as it is stored. */
export interface StoredMail extends Mail {
  /** Its place in the store; later mail has a higher one, and none is used twice. */
  readonly place: number;
  readonly sender: AgentName;
  readonly keptAtMs: number;
  /** Times that it was tried. */
  readonly attempts: number;
  /** When to try it: wall clock, milliseconds since 1970. */
  readonly nextMs: number;
}

/** Says what became of mail. It changes nothing if the mail is gone. */
export interface MailSettlement {
  readonly place: number;
  /** Undefined: it is done, and the store drops it. */
  readonly nextMs: number | undefined;
  readonly attempts: number;
}

/** Which records to list. */
export interface ListQuery {
  /** Default: of all types. */
  readonly type?: string | undefined;
  /** Default: all keys. */
  readonly keyPrefix?: string | undefined;
  /** The name with which the last page ended. Default: from the first. */
  readonly after?: AgentName | undefined;
  /** Records at most, up to 10 000. A page of long names has fewer, see `ListPage`. Default: 1 000. */
  readonly limit?: number | undefined;
}

/** A record in a list. */
export interface ListedState extends Omit<StateRecord, "data"> {
  readonly agent: AgentName;
  /** Length of its data. */
  readonly bytes: number;
}

/**
 * One page of a list: by type, then by key, in the order of their bytes in UTF-8. A page has 4 MiB at most, unless it has only one record. Each
 * record counts the bytes of its name and of its content type, and 200 more. So a page may end before its `limit`.
 */
export interface ListPage {
  readonly records: readonly ListedState[];
  /** False: more records follow the last one of this page. */
  readonly isLast: boolean;
}

/** How much to read at once. */
export interface PageQuery {
  /**
   * Bytes of the messages of a page. It has fewer, unless it has only one message. So a page may end before its `limit`: an empty page says that
   * there are no more. Default: 4 MiB.
   */
  readonly maxBytes?: number | undefined;
}

/** Which part of the mail or of the reminders to read. */
export interface ShardQuery extends PageQuery {
  /** Shards of the receivers, or of the reminders' agents. Default: all. */
  readonly shards?: readonly number[] | undefined;
  readonly limit: number;
}

/** Which reminders of an agent to read. */
export interface ReminderQuery extends PageQuery {
  /** The name with which the last page ended. Default: from the first. */
  readonly after?: string | undefined;
}

/** Which reminders to read. */
export interface DueQuery extends ShardQuery {
  /** Those due before this time: wall clock, milliseconds since 1970. */
  readonly beforeMs: number;
  /** The reminder with which the last page ended. Default: from the first. */
  readonly after?: Pick<StoredReminder, "dueMs" | "seq"> | undefined;
}

/** Which mail to read. */
export interface MailQuery extends ShardQuery {
  /** The place with which the last page ended. Default: from the first. */
  readonly after?: number | undefined;
}

/** Reminders and mail to settle together. */
export interface Settlements {
  readonly ticks: readonly ReminderTick[];
  readonly mail: readonly MailSettlement[];
}

/** How much a store holds. */
export interface StoreStats {
  readonly records: number;
  /** Bytes of the records' data. */
  readonly bytes: number;
  readonly reminders: number;
  readonly mail: number;
  /** Of each agent type that has a record, in the order of their bytes in UTF-8. */
  readonly types: readonly { readonly type: string; readonly records: number; readonly bytes: number }[];
}

/** Options of `open`. */
export interface OpenStoreOptions {
  /** Takes the store from a holder that lives, or whose lock stands. Default: false. */
  readonly takesOver?: boolean | undefined;
}

/** The numbers of an opening. */
export interface StoreOpening {
  /** Number of this opening: higher than each before, and at least the seconds since 1970. */
  readonly incarnation: number;
  /** The highest generation of an epoch before it, and of an opening of one writer; 0 if there was none. */
  readonly newestGeneration: number;
}

/**
 * Stores the states of agents, their reminders, the messages that they remember, and mail. Everything of one commit happens together.
 * A store copies the bytes that it is given before the call returns. Methods reject with a `StoreError`.
 */
export interface StateStore extends AsyncDisposable {
  /**
   * `one`: one opening writes at a time; who opens the store takes it from the opening before. `many`: several write, and epochs keep
   * them apart.
   */
  readonly writers: "one" | "many";
  /** The mailboxes that this store keeps. Undefined: it has none of its own. */
  readonly log: DurableLog | undefined;
  /**
   * Takes the store to write to it. An opening before that is refused from now on, as `fenced`. Rejects as `in-use` if the store can
   * tell that its holder lives, unless `takesOver` is set. Reading does not need it.
   */
  open(options?: OpenStoreOptions): Promise<StoreOpening>;
  /**
   * Reads a record; undefined if there is none. It sees every commit that was acknowledged before.
   * `unless`: resolves to `unchanged` if the record has this eTag.
   */
  load(
    agent: AgentName,
    options?: { readonly unless?: string | undefined },
  ): Promise<StateRecord | "unchanged" | undefined>;
  /** The same for a record whose data has at most `maxBytes`. Of another one it reads the size alone, so that its reader can make space. */
  loadUpTo(
    maxBytes: number,
    agent: AgentName,
    options?: { readonly unless?: string | undefined },
  ): Promise<StateRecord | LargerState | "unchanged" | undefined>;
  /**
   * Tries each commit, in their order; the outcomes have the same order. A conflict or refusal of one does not touch the others. When
   * it resolves, what is `committed` stays. Rejects if none of them has happened, or as `unknown` if the store can't say.
   */
  commit(commits: readonly Commit[]): Promise<readonly CommitOutcome[]>;
  /** Finds a message that the agent has handled, within the limits of `storeLimits`. */
  remembered(agent: AgentName, id: string, principal: string): Promise<RememberedMessage | undefined>;
  /** Lists records, a page at a time. No record is missed or repeated if others are written meanwhile. */
  list(query?: ListQuery): Promise<ListPage>;
  /** The reminders of an agent, by name in the order of their bytes, a page at a time. */
  reminders(agent: AgentName, query?: ReminderQuery): Promise<readonly StoredReminder[]>;
  /** Reminders that are due, a page at a time: the earliest first; those of one time by `seq`. */
  due(query: DueQuery): Promise<readonly StoredReminder[]>;
  /** Mail by its place, whether it is due or not, a page at a time. */
  mail(query: MailQuery): Promise<readonly StoredMail[]>;
  /** Writes what became of reminders and mail, all of it together. It may wait for the next commit. */
  settle(done: Settlements): Promise<void>;
  /** Reads a run, a page at a time. Resolves to undefined if the store has no such run, or if its time after its end is over. */
  readRun(run: RunName, query?: RunPageQuery): Promise<RunPage | undefined>;
  /** Lists runs, a page at a time. No run is missed or repeated if others begin meanwhile. */
  listRuns(query?: RunQuery): Promise<RunList>;
  /** Counts what is stored. It may read the whole store. */
  stats(): Promise<StoreStats>;
  /** Ends the opening. What was asked before is done first; later calls reject as `closed`. You may call it twice. */
  close(): Promise<void>;
}
