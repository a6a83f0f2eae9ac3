import {
  type AgentName,
  type AppendOutcome,
  type Clock,
  type Commit,
  type CommitListener,
  Courier,
  type CourierCall,
  type CourierCounters,
  type CourierDelivery,
  type CourierObservers,
  type CourierOutcome,
  type CronPatterns,
  type Decided,
  type DurableLog,
  type DurableMessage,
  type GivenShard,
  type ReminderRule,
  type RetryOptions,
  type RuntimeLog,
  type StateStore,
  shardOf,
  TroupeError,
} from "../../core/internal.ts";
import { withMailMarks } from "../../protocol/internal.ts";
import type { CallRouter } from "../calls/call-router.ts";
import type { CourierPeer } from "./courier-peer.ts";
import { badRule, type EffectsRefusal } from "./effects-check.ts";

export interface HostCourierParts {
  readonly store: StateStore;
  /** The mail of the cluster. Undefined: the host is alone, and its store has the mail. */
  readonly sharedLog: DurableLog | undefined;
  /** Called with the shards of the agents whose mail or reminders a commit of this host has written. */
  readonly onCommitted: (shards: Iterable<number>) => void;
  /** Whether the store may hold reminders and mail of an earlier process. */
  readonly isStoreGiven: boolean;
  readonly peer: CourierPeer;
  readonly calls: () => CallRouter;
  readonly clock: Clock;
  readonly logger: RuntimeLog | undefined;
  /** Returns the peer address of the worker that serves an agent; empty: none does. */
  readonly partyOf: (agent: AgentName) => string;
  /** Whether a worker serves a type. */
  readonly isServed: (agentType: string) => boolean;
  readonly random: () => number;
  readonly cron: CronPatterns | undefined;
  readonly retry: RetryOptions | undefined;
  readonly observers?: CourierObservers | undefined;
}

const noLog: RuntimeLog = { debug() {}, info() {}, warn() {}, error() {} };

/** The time of a kept call, in milliseconds. */
const handlerTimeoutMs = 300_000;

// protocol.md §11.16
/** Fires the reminders of a host's store and delivers its mail, as calls to the workers of their agents. */
export class HostCourier implements CommitListener {
  readonly #parts: HostCourierParts;
  readonly #courier: Courier;
  /** The number of the store's opening; 0: it is not open. */
  #incarnation = 0;
  #isNeeded: boolean;

  constructor(parts: HostCourierParts) {
    const { store, sharedLog, clock, logger = noLog, partyOf, isServed, random, cron, retry, observers } = parts;
    this.#parts = parts;
    this.#isNeeded = parts.isStoreGiven;
    this.#courier = new Courier({
      ...{ store, sharedLog, clock, logger, partyOf, isServed, random, cron, retry, observers },
      deliver: (call) => this.#deliver(call),
      onBusy: () => undefined,
    });
  }

  get counters(): CourierCounters {
    return this.#courier.counters;
  }

  oldestMailMs(): number {
    return this.#courier.oldestMailMs();
  }

  /** The store is open. */
  opened(incarnation: number): void {
    this.#incarnation = incarnation;
    this.#startIfNeeded();
  }

  /** Ends, before the host ends its calls. What is under way is not settled: it comes again with the next opening of the store. */
  stop(): void {
    this.#courier.stop();
  }

  /** This host owns a shard of the cluster's mail from now on. The store must be open. */
  async takeShard(shard: number, given: GivenShard): Promise<void> {
    this.#isNeeded = true;
    this.#startIfNeeded();
    await this.#courier.takeShard(shard, given);
  }

  finishShard(shard: number): Promise<void> {
    return this.#courier.finishShard(shard);
  }

  dropShard(shard: number): void {
    this.#courier.dropShard(shard);
  }

  /** A host has committed mail or reminders of shards that this one owns. */
  lookAgain(): void {
    this.#courier.lookAgain();
  }

  /** Keeps a message for an agent. The store must be open. Rejects with a `StoreError`. */
  keep(mailbox: AgentName, message: DurableMessage): Promise<AppendOutcome> {
    this.#isNeeded = true;
    this.#startIfNeeded();
    return this.#courier.keep(mailbox, message);
  }

  /** Says why the cron patterns of rules can't be kept. Undefined: they can. */
  async whyNotPatterns({ type }: AgentName, rules: readonly ReminderRule[]): Promise<EffectsRefusal | undefined> {
    try {
      for (const rule of rules) await this.#courier.checkPattern(type, rule);
    } catch (error) {
      return badRule(error);
    }
    return undefined;
  }

  onCommitting(commits: readonly Commit[]): void {
    this.#isNeeded = true;
    this.#startIfNeeded();
    this.#courier.onCommitting(commits);
  }

  newestPlace(): Promise<number> | undefined {
    return this.#parts.sharedLog?.newest();
  }

  onDecided(commits: readonly Commit[], outcomes: Decided): void {
    this.#courier.onDecided(commits, outcomes);
    if (this.#parts.sharedLog !== undefined) this.#tellCommitted(commits, outcomes);
  }

  /** Commits whose outcome is unknown may have happened, too. */
  #tellCommitted(commits: readonly Commit[], outcomes: Decided): void {
    if (outcomes === "failed") return;
    const shards = new Set<number>();
    for (const { agent, mail, reminders } of commits) {
      for (const { receiver } of mail) shards.add(shardOf(receiver));
      if (reminders.some(({ at }) => at === "set")) shards.add(shardOf(agent));
    }
    this.#parts.onCommitted(shards);
  }

  #startIfNeeded(): void {
    // It starts once, and never rejects: a store that fails is asked again.
    if (this.#isNeeded && this.#incarnation > 0) void this.#courier.start(this.#incarnation);
  }

  #deliver(call: CourierCall): CourierDelivery {
    const { peer, calls } = this.#parts;
    let settle: (outcome: CourierOutcome) => void = () => {};
    const outcome = new Promise<CourierOutcome>((resolve) => {
      settle = resolve;
    });
    const requestId = peer.begin((error) =>
      settle(error === undefined ? { at: "handled" } : { at: "failed", error: TroupeError.from(error) }),
    );
    const { id, attempt, place, reminder, agent, frame, kind } = call;
    const request = withMailMarks(frame, requestId, {
      ...{ id, attempt, reminder, isEvent: kind === "event", timeoutMs: handlerTimeoutMs },
      place: place === undefined ? undefined : `${shardOf(agent)}.${place}`,
    });
    if (request === undefined) {
      peer.forget(requestId);
      settle({ at: "failed", error: new TroupeError("invalid-message", "The kept message is not a call.") });
    } else calls().route(peer, request);
    return {
      outcome,
      withdraw: () => {
        if (calls().ends.withdraw(peer, requestId) && peer.forget(requestId)) settle({ at: "withdrawn" });
      },
    };
  }
}
