import {
  type AgentName,
  ChurnedMap,
  type Clock,
  type CountedQueue,
  type Epoch,
  type ErrorCode,
  listReminders,
  type Mail,
  type ReminderRule,
  type StateStore,
  textOfName,
} from "../../core/internal.ts";
import {
  type CommitAsk,
  type HostedOutcome,
  type LoadAsk,
  type PeekedEvent,
  peekFrame,
  type RememberedAsk,
  type RemindersAsk,
  type RunAsk,
  type RunsAsk,
  type StateFailure,
  type StatesAnswer,
} from "../../protocol/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import { type CallFailure, callFailure } from "../calls/call-failures.ts";
import type { SenderCheck } from "../calls/sender-check.ts";
import type { MutableHostCounters } from "../counters.ts";
import type { SpreadRefusal } from "../events/spread-event.ts";
import type { HeldStore } from "../held-store.ts";
import { limits } from "../limits.ts";
import type { Observers } from "../observer.ts";
import type { AgentDirectory } from "../placement/agent-directory.ts";
import type { Placement } from "../placement/placement.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { TypesBetween } from "../registry/types-between.ts";
import { shuttingDownText } from "../sessions/admission.ts";
import type { Peer } from "../sessions/peer.ts";
import { failure, fullMailbox, occurrence, readMail, toCommit, whyOverused } from "./commit-asks.ts";
import { type LoadSpace, loadWithin } from "./load-space.ts";
import { type FrameRouters, RidingFrames } from "./riding-frames.ts";
import { listRuns, readRun } from "./run-asks.ts";
import { type GrantedEpoch, StateRights } from "./state-rights.ts";

type ReadAsk = LoadAsk | RemindersAsk | RememberedAsk | RunAsk | RunsAsk;

/** An ask that a store serves: a heartbeat is none. */
export type StoreAsk = ReadAsk | CommitAsk;

type StoreAnswer = Exclude<StatesAnswer, { readonly kind: "heartbeat" | "empty" }>;

/** An ask that the host has taken. */
export interface TakenAsk {
  readonly isCommit: boolean;
  /** Asks the store, and returns the answer for the worker. Never rejects. `space`: of the large states that its worker loads. */
  run(space: LoadSpace): Promise<StoreAnswer>;
  /** The ask is not served: no worker hears its answer, or the host needs its space. */
  drop(): void;
}

/** Frames and mail of a commit, and the epoch under which its worker writes. */
interface CommitLoad {
  readonly frames: RidingFrames;
  readonly mail: readonly Mail[];
  readonly epoch: GrantedEpoch;
  /** Rules of reminders with cron patterns, which were not read yet. */
  readonly withCron: readonly ReminderRule[];
}

/** The reason for which the effects of a commit can't be kept. */
interface EffectsRefusal {
  readonly code: ErrorCode;
  readonly text: string;
}

/** Says which mail and reminders the host keeps; its courier hears of commits from the store. */
export interface EffectsCourier {
  /** Says why the reminders of a commit can't be kept; else returns the rules with cron patterns, which it has not read. */
  readRules(ask: CommitAsk): EffectsRefusal | readonly ReminderRule[];
  /** Says why these cron patterns can't be kept. Undefined: they can. */
  whyNotPatterns(ask: CommitAsk, rules: readonly ReminderRule[]): Promise<EffectsRefusal | undefined>;
}

export interface StateServiceParts extends FrameRouters {
  readonly senders: SenderCheck;
  readonly held: HeldStore;
  readonly owners: TypeOwners;
  readonly between: TypesBetween;
  readonly directory: AgentDirectory;
  readonly placement: Placement;
  /** Undefined: this host delivers no mail and fires no reminders, and refuses commits with them. */
  readonly courier: EffectsCourier | undefined;
  readonly clock: Clock;
  /** Lets the frames of a commit go that has many. */
  readonly batches: BatchRunner;
  readonly counters: MutableHostCounters;
  readonly observers: Observers;
}

// protocol.md §11.15
/** Loads and commits the states of agents for the workers that serve them. */
export class StateService {
  readonly #parts: StateServiceParts;
  readonly #rights: StateRights;
  /** The last task of each agent that has one. */
  readonly #last = new ChurnedMap<string, Promise<unknown>>();
  /** The last reading of what may be large: reminders, and parts of runs. */
  #listing: Promise<unknown> = Promise.resolve();
  /** Commits that were taken and are not decided. */
  #undecided = 0;
  /** Commits that were taken. */
  #taken = 0;
  #isDraining = false;
  #onDecided: () => void = () => {};

  constructor(parts: StateServiceParts) {
    this.#parts = parts;
    this.#rights = new StateRights(parts);
  }

  /** Takes an ask of a worker, or returns the answer that refuses it. A commit that was taken decides the calls whose answers ride on it. */
  take(from: Peer, ask: StoreAsk): TakenAsk | StoreAnswer {
    const refusal = this.#refusalOf(ask);
    if (refusal !== undefined) return failedAnswer(ask, refusal);
    const overuse = from.quota && whyOverused(from.quota, from.id, ask);
    if (overuse !== undefined) return failedAnswer(ask, failure("overloaded", overuse.text));
    const withCron = this.#rulesOf(ask);
    if ("code" in withCron) return failedAnswer(ask, failure(withCron.code, withCron.text));
    const denied = from.access?.whyNot(ask.kind === "commit" ? "write-state" : "read-state", ask.agent.type);
    if (denied !== undefined) return failedAnswer(ask, failure("not-authorized", denied));
    const right = this.#rights.of(from, ask.agent, "epoch" in ask ? ask.epoch : "none");
    if (right.at === "failed") return failedAnswer(ask, right);
    if (right.at === "superseded") return this.#superseded(ask, right.epoch);
    if (ask.kind !== "commit")
      return { isCommit: false, run: (space) => this.#read(ask, right.epoch, space), drop: () => undefined };
    const frames = RidingFrames.read(from, ask);
    if (typeof frames === "string") return failedAnswer(ask, failure("invalid-message", frames));
    const mail = readMail(ask.mail, from);
    if (typeof mail === "string") return failedAnswer(ask, failure("invalid-message", mail));
    const foreign = this.#whyNotSent(from, ask, { frames, mail });
    if (foreign !== undefined) return failedAnswer(ask, failure(foreign.code, foreign.text));
    frames.keepCalls(this.#parts);
    this.#undecided += 1;
    this.#taken += 1;
    return {
      isCommit: true,
      run: () => this.#commit(from, ask, { frames, mail, epoch: right.epoch, withCron }),
      drop: () => this.#decided(frames, { at: "failed", code: "state-unavailable", text: noSpaceText }),
    };
  }

  /** Commits that were taken, and those of them that are not decided. */
  get commits(): CountedQueue {
    return { key: this, entered: this.#taken, waiting: this.#undecided };
  }

  /** Refuses what comes from now on. Resolves when all commits are decided. */
  drain(): Promise<void> {
    this.#isDraining = true;
    if (this.#undecided === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onDecided = resolve;
    });
  }

  #refusalOf(ask: StoreAsk): StateFailure | undefined {
    if (this.#isDraining) return failure("shutting-down", shuttingDownText);
    if (ask.kind !== "commit") return undefined;
    if (this.#parts.courier !== undefined) return undefined;
    if (ask.mail.length > 0) return failure("not-accessible", "This host delivers no mail for its workers.");
    if (ask.reminders.some(({ at }) => at === "set")) return failure("not-accessible", "This host fires no reminders.");
    return undefined;
  }

  #rulesOf(ask: StoreAsk): EffectsRefusal | readonly ReminderRule[] {
    return ask.kind === "commit" ? (this.#parts.courier?.readRules(ask) ?? []) : [];
  }

  /** Another worker has the agent: what this one says of it is too old. */
  #superseded(ask: StoreAsk, epoch: Epoch): StoreAnswer {
    if (ask.kind !== "commit") return failedAnswer(ask, supersededFailure);
    this.#parts.counters.staleCommits += 1;
    return { kind: "committed", seq: ask.seq, outcome: { at: "stale", epoch } };
  }

  #read(ask: ReadAsk, epoch: GrantedEpoch, space: LoadSpace): Promise<StoreAnswer> {
    return this.#inOrder(ask.agent, async () => {
      try {
        if (ask.kind === "load" && !(await this.#fence(ask.agent, epoch))) return failedAnswer(ask, supersededFailure);
        return await this.#readFrom(this.#parts.held.readable, ask, space);
      } catch (error) {
        return failedAnswer(ask, { at: "failed", ...this.#parts.held.failed(error, "a state could not be read") });
      }
    });
  }

  // protocol.md §12.8
  /**
   * A worker that had the agent before writes nothing more of it, also where another host takes its commits. Resolves to false if the agent is with
   * another worker by now. A lone host knows by itself whose commits it takes.
   */
  async #fence(agent: AgentName, { generation, era, number }: GrantedEpoch): Promise<boolean> {
    if (generation === undefined) return true;
    const store = await this.#parts.held.open();
    const epoch = { generation, era, number };
    const [outcome] = await store.commit([
      { ...{ agent, epoch, expected: { at: "anything" }, write: { at: "keep" } }, ...noEffects },
    ]);
    return outcome?.at === "committed";
  }

  async #readFrom(store: StateStore, ask: ReadAsk, space: LoadSpace): Promise<StoreAnswer> {
    const { seq, agent } = ask;
    switch (ask.kind) {
      case "load": {
        this.#parts.counters.loads += 1;
        return { kind: "loaded", seq, outcome: await loadWithin(space, store, ask) };
      }
      case "reminders": {
        // protocol.md §11.16: the store reads their messages, too.
        const reminders = await this.#oneByOne(() => listReminders(store, agent));
        return { kind: "reminders", seq, outcome: { at: "listed", reminders } };
      }
      case "remembered": {
        const found = await store.remembered(agent, ask.id, ask.principal);
        if (found === undefined) return { kind: "remembered", seq, outcome: { at: "nothing" } };
        return { kind: "remembered", seq, outcome: { at: "found", answer: found.answer } };
      }
      case "run":
        return await this.#oneByOne(() => readRun(store, ask));
      case "runs":
        return await this.#oneByOne(() => listRuns(store, ask));
    }
  }

  /** Reads what may be large, one after the other. */
  #oneByOne<T>(read: () => Promise<T>): Promise<T> {
    const done = this.#listing.then(read);
    this.#listing = done.catch(() => undefined);
    return done;
  }

  // protocol.md §2.1
  /** The failure of a commit with a message that its worker may not send. */
  #whyNotSent(
    from: Peer,
    { reminders }: CommitAsk,
    { frames, mail }: Pick<CommitLoad, "frames" | "mail">,
  ): CallFailure | undefined {
    const { senders } = this.#parts;
    if (!senders.isEnforced) return undefined;
    const kept = [
      ...mail.map(({ frame }) => frame),
      ...reminders.flatMap((change) => (change.at === "cancel" ? [] : [change.message])),
    ];
    let refusal = frames.whyNotSent(senders);
    for (const bytes of kept) {
      const frame = peekFrame(bytes);
      if (frame.kind === "request" || frame.kind === "event") refusal ??= senders.whyNot(from, frame);
    }
    return refusal;
  }

  #commit(from: Peer, ask: CommitAsk, { frames, mail, epoch, withCron }: CommitLoad): Promise<StoreAnswer> {
    const { clock, observers, counters } = this.#parts;
    const takenMs = observers.now === undefined ? undefined : clock.now();
    return this.#inOrder(ask.agent, async () => {
      const refusal = withCron.length === 0 ? undefined : await this.#parts.courier?.whyNotPatterns(ask, withCron);
      const outcome =
        refusal === undefined
          ? await this.#write(from, ask, { frames, mail, epoch })
          : failure(refusal.code, refusal.text);
      if (outcome.at === "committed") counters.commits += 1;
      else if (outcome.at === "conflict") counters.conflictingCommits += 1;
      else if (outcome.at === "stale") counters.staleCommits += 1;
      const leaving = outcome.at === "committed" ? this.#letGo(from, frames) : undefined;
      if (leaving !== undefined) await leaving;
      this.#decided(frames, outcome);
      if (takenMs !== undefined) observers.now?.(occurrence(from, ask, outcome, clock.now() - takenMs));
      return { kind: "committed", seq: ask.seq, outcome };
    });
  }

  async #write(
    from: Peer,
    ask: CommitAsk,
    { frames, mail: own, epoch }: Pick<CommitLoad, "frames" | "mail" | "epoch">,
  ): Promise<HostedOutcome> {
    const { held } = this.#parts;
    let isAsked = false;
    let spreadBytes = 0;
    try {
      const store = await held.open();
      const durable = frames.durableOf(this.#parts);
      const spread = durable.length === 0 ? noMail : await this.#spread(from, frames, durable);
      if ("code" in spread) return failure(spread.code, spread.text);
      spreadBytes = spread.bytes;
      const mail = spread.mail.length === 0 ? own : [...own, ...spread.mail];
      isAsked = true;
      const { generation = held.incarnation, era, number } = epoch;
      const commit = toCommit(ask, mail, { generation, era, number });
      const [outcome] = await store.commit([commit]);
      if (outcome === undefined) throw new TypeError("The state store gave no outcome for a commit.");
      return outcome.at === "refused" && outcome.isMailboxFull === true ? fullMailbox(ask.agent, outcome) : outcome;
    } catch (error) {
      const { code, text } = held.failed(
        error,
        "a state could not be written",
        // A store of the user's own may have written it.
        isAsked ? "unknown" : "unavailable",
      );
      return { at: code === "state-unknown" ? "unknown" : "failed", code, text };
    } finally {
      if (spreadBytes > 0) from.account.release(spreadBytes);
    }
  }

  // protocol.md §11.18
  /** The mail of the durable events of a commit. */
  async #spread(
    from: Peer,
    frames: RidingFrames,
    durable: readonly PeekedEvent[],
  ): Promise<typeof noMail | SpreadRefusal> {
    const spread = await this.#parts.spreader.spreadAll(from, durable);
    if ("code" in spread) return spread;
    const { events, bytes } = spread;
    frames.spread(durable, events);
    return { mail: events.flatMap(({ mail }) => mail), bytes };
  }

  /** Lets the frames of a written commit go: those of a large one in batches, so that other messages get their turn. */
  #letGo(from: Peer, frames: RidingFrames): Promise<void> | undefined {
    const { batches } = this.#parts;
    if (frames.count <= limits.ridingFramesAtOnce) {
      frames.leave(this.#parts);
      return undefined;
    }
    const tasks = frames.leaving(this.#parts);
    return new Promise((resolve) => {
      batches.add(frames, lastly(tasks, resolve), from.account.party);
    });
  }

  /** Ends the hold of a commit on its calls. */
  #decided(frames: RidingFrames, outcome: HostedOutcome): void {
    if (outcome.at !== "committed")
      frames.drop(this.#parts, "code" in outcome ? () => callFailure.ofTarget(outcome.text, outcome.code) : undefined);
    this.#undecided -= 1;
    if (this.#undecided === 0) this.#onDecided();
  }

  /** Runs one task of an agent at a time, in the order in which they came. `task` must not reject. */
  #inOrder(agent: AgentName, task: () => Promise<StoreAnswer>): Promise<StoreAnswer> {
    const name = textOfName(agent);
    const before = this.#last.get(name);
    const answer = before === undefined ? task() : before.then(task);
    this.#last.set(name, answer);
    void answer.then(() => {
      if (this.#last.get(name) === answer) this.#last.delete(name);
    });
    return answer;
  }
}

function* lastly(tasks: Iterable<() => void>, done: () => void): Iterable<() => void> {
  yield* tasks;
  done();
}

const noMail: { readonly mail: readonly Mail[]; readonly bytes: number } = { mail: [], bytes: 0 };
const noEffects = { reminders: [], mail: [], remembered: [] };
const supersededFailure = failure("shutting-down", "Another worker has the agent by now. Try again.");
const noSpaceText = "The host had no space for this commit. Try again later.";

/** Creates the answer that refuses an ask. */
export function failedAnswer({ kind, seq }: Pick<StoreAsk, "kind" | "seq">, outcome: StateFailure): StoreAnswer {
  switch (kind) {
    case "load":
      return { kind: "loaded", seq, outcome };
    case "commit":
      return { kind: "committed", seq, outcome };
    case "reminders":
      return { kind: "reminders", seq, outcome };
    case "remembered":
      return { kind: "remembered", seq, outcome };
    case "run":
      return { kind: "run", seq, outcome };
    case "runs":
      return { kind: "runs", seq, outcome };
  }
}
