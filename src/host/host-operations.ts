import { type Clock, type DurableLog, type Metrics, type StateStore, TroupeError } from "../core/internal.ts";
import type { AccessRules } from "../security/internal.ts";
import type { MemoryAccount, MemoryAccountant } from "../transport/internal.ts";
import type { HeldStore } from "./held-store.ts";
import type { HostHealth } from "./host-health.ts";
import type { DurablePage, DurableQuery, DurableRow, DurableSubscriptions } from "./mail/durable-subscriptions.ts";
import type { MeasuredCounters } from "./metrics/host-readings.ts";
import { measureHost, type QueuesHere } from "./metrics/measure-host.ts";
import type { ObserverGroups } from "./observer.ts";
import type { AgentOperations } from "./operations/agent-operations.ts";
import type { ClusterOperations } from "./operations/cluster-operations.ts";
import type { EventPublishing } from "./operations/event-publishing.ts";
import type { HostSnapshot, Inspection, InspectOptions } from "./operations/inspection.ts";
import type { MessageOperations } from "./operations/message-operations.ts";
import type { MessageTypes } from "./operations/message-types.ts";
import type { OutsideCalls } from "./operations/outside-calls.ts";
import { activityRows, type KeptActivity } from "./operations/rows/activity-rows.ts";
import { callRows } from "./operations/rows/call-rows.ts";
import { counterRows } from "./operations/rows/counter-rows.ts";
import { failureRows, type KeptFailures } from "./operations/rows/failure-rows.ts";
import { feedRows, type ToldFeeds } from "./operations/rows/feed-rows.ts";
import { hopRows } from "./operations/rows/hop-rows.ts";
import type { KeptTraces } from "./operations/rows/kept-traces.ts";
import {
  type ListedHost,
  type RowKinds,
  RowsOfHosts,
  type RowsPage,
  type RowsQuery,
} from "./operations/rows/rows-of-hosts.ts";
import { sessionRows } from "./operations/rows/session-rows.ts";
import { topicRows } from "./operations/rows/topic-rows.ts";
import { traceRows } from "./operations/rows/trace-rows.ts";
import { typeRows } from "./operations/rows/type-rows.ts";
import { workerRows } from "./operations/rows/worker-rows.ts";
import type { DrainOutcome, DrainWorkerOptions, WorkerDrains } from "./placement/worker-drains.ts";
import type { MessagePayloads } from "./sessions/message-payloads.ts";

export interface HostOperationsParts {
  readonly agents: AgentOperations;
  readonly held: HeldStore;
  /** Undefined: the host keeps no mail. */
  readonly log: DurableLog | undefined;
  readonly accountant: MemoryAccountant;
  readonly clock: Clock;
  readonly inspection: Inspection;
  readonly drains: WorkerDrains;
  readonly forgottenLetters: () => number;
  /** Undefined: the host keeps none. */
  readonly durableSubscriptions: DurableSubscriptions | undefined;
  readonly isServed: (agentType: string) => boolean;
  readonly observe: ObserveHost;
  readonly payloads: MessagePayloads;
  /** The rules for principals. Undefined: the host has no rules. */
  readonly rules: AccessRules | undefined;
  readonly messages: MessageOperations;
  readonly publishing: EventPublishing;
  readonly outsideCalls: OutsideCalls;
  readonly messageTypes: MessageTypes;
  readonly oldestCallMs: () => number;
  readonly queues: () => QueuesHere;
}

/**
 * Tells an observer what happens from now on. Returns what ends that. One that hears of failures alone costs nothing for calls and events
 * that succeed; of all else it hears everything.
 */
type ObserveHost = ObserverGroups["observe"];

/** A host that runs on a listener, which knows more than its servicer. */
export interface RunningHost {
  counters(): MeasuredCounters;
  health(): HostHealth;
}

/** A host among those of its cluster. `here` is null for a host that is alone. */
export interface HostsOfCluster {
  readonly here: ListedHost | null;
  readonly others: readonly ListedHost[];
}

/** A page of the durable subscriptions that a host keeps, and whether a worker serves their types. */
export interface ServedSubscriptions extends Omit<DurablePage, "rows"> {
  readonly rows: readonly (DurableRow & { readonly isServed: boolean })[];
}

/** The part of a host that only its operator uses. The admin entry is made of it. */
export class HostOperations {
  readonly agents: AgentOperations;
  /** Calls under way and subscriptions. */
  readonly messages: MessageOperations;
  readonly clock: Clock;
  /** The mail of the host, or of its cluster. Undefined: it keeps none. */
  readonly log: DurableLog | undefined;
  /** Shows and drains the hosts of the cluster. Undefined: the host is alone. */
  cluster: ClusterOperations | undefined;
  readonly #held: HeldStore;
  readonly #accountant: MemoryAccountant;
  readonly #inspection: Inspection;
  readonly #drains: WorkerDrains;
  readonly #forgottenLetters: () => number;
  readonly #durable: DurableSubscriptions | undefined;
  readonly #isServed: (agentType: string) => boolean;
  /** Takes an event from a publisher that is not a worker, under the rules and quotas of all publishers. */
  readonly publish: EventPublishing["publish"];
  /** Takes a call from a caller that is not a worker, under the rules and quotas of all callers. */
  readonly call: OutsideCalls["call"];
  /** Asks workers of this host which messages their agents take. */
  readonly messageTypes: MessageTypes;
  readonly #oldestCallMs: () => number;
  /** The lists of this host alone. */
  readonly ownRows: RowsOfHosts;
  #failures: KeptFailures | undefined;
  #traces: KeptTraces | undefined;
  #feeds: ToldFeeds | undefined;
  #activity: KeptActivity | undefined;
  readonly #queues: () => QueuesHere;
  /** The host that runs. Undefined: the servicer runs without one. */
  running: RunningHost | undefined;
  readonly observe: ObserveHost;
  /** Reads what messages say while an operator watches it. */
  readonly payloads: Pick<MessagePayloads, "watch" | "of">;

  constructor(parts: HostOperationsParts) {
    const { agents, held, log, accountant, clock, inspection, drains, forgottenLetters } = parts;
    this.#durable = parts.durableSubscriptions;
    this.#isServed = parts.isServed;
    this.observe = parts.observe;
    this.payloads = parts.payloads;
    this.#oldestCallMs = parts.oldestCallMs;
    this.#queues = parts.queues;
    this.agents = agents;
    this.messages = parts.messages;
    this.ownRows = new RowsOfHosts(
      {
        ...{ workers: workerRows(inspection), sessions: sessionRows(inspection), calls: callRows(parts.messages) },
        ...{ topics: topicRows(parts.messages), types: typeRows(inspection) },
        failures: failureRows(() => this.#failures),
        traces: traceRows({ clock, kept: () => this.#traces }),
        hops: hopRows({ clock, messages: parts.messages, kept: () => this.#traces }),
        feed: feedRows(() => this.#feeds),
        counters: counterRows(inspection),
        activity: activityRows(() => this.#activity),
      },
      parts.rules,
    );
    this.publish = (...given) => parts.publishing.publish(...given);
    this.call = (...given) => parts.outsideCalls.call(...given);
    this.messageTypes = parts.messageTypes;
    this.#inspection = inspection;
    this.#drains = drains;
    this.clock = clock;
    this.log = log;
    this.#held = held;
    this.#accountant = accountant;
    this.#forgottenLetters = forgottenLetters;
  }

  /** The state of the host for probes. */
  get health(): HostHealth {
    return this.running?.health() ?? "serving";
  }

  /** Measures the host. Returns what ends that. Throws `wrong-state` for a servicer without a host. */
  measure(metrics: Metrics): () => void {
    const { running, observe } = this;
    if (running === undefined) throw new TroupeError("wrong-state", "Only a host that runs can be measured.");
    return measureHost(metrics, {
      counters: () => running.counters(),
      oldestCallMs: this.#oldestCallMs,
      queues: () => ({ ...this.#queues(), links: this.cluster?.queues() ?? [] }),
      now: () => this.clock.now(),
      isReady: () => running.health() === "serving",
      observe,
    });
  }

  /** Shows the present of the host. */
  inspect(options: InspectOptions): Promise<HostSnapshot> {
    return this.#inspection.inspect(options);
  }

  /** Returns a page of a list: of the hosts of the cluster, or of this host if it is alone. Rejects with the reason of `signal`. */
  rows<Kind extends keyof RowKinds>(
    kind: Kind,
    query: RowsQuery,
    signal: AbortSignal,
  ): Promise<RowsPage<RowKinds[Kind]>> {
    return this.cluster?.rows(kind, query, signal) ?? this.ownRows.page(kind, query, { around: undefined, signal });
  }

  /** Lists the failures that an admin entry keeps, also for other hosts. Returns what ends that. */
  listFailures(kept: KeptFailures): () => void {
    this.#failures = kept;
    return () => {
      if (this.#failures === kept) this.#failures = undefined;
    };
  }

  /** Lists the traces that an admin entry keeps, also for other hosts. Returns what ends that. */
  listTraces(kept: KeptTraces): () => void {
    this.#traces = kept;
    return () => {
      if (this.#traces === kept) this.#traces = undefined;
    };
  }

  /** Lets other hosts read what happens at this one. Returns what ends that. */
  tellFeeds(feeds: ToldFeeds): () => void {
    this.#feeds = feeds;
    return () => {
      if (this.#feeds === feeds) this.#feeds = undefined;
    };
  }

  /** Lists the numbers over time that an admin entry keeps, also for other hosts. Returns what ends that. */
  listActivity(kept: KeptActivity): () => void {
    this.#activity = kept;
    return () => {
      if (this.#activity === kept) this.#activity = undefined;
    };
  }

  /** This host and the others that are up in its cluster. */
  hosts(): HostsOfCluster {
    return this.cluster?.hosts() ?? { here: null, others: [] };
  }

  /** Dead letters that the host has deleted since its start, because all had too many bytes. */
  get forgottenLetters(): number {
    return this.#forgottenLetters();
  }

  /** Returns a page of the durable subscriptions that the host keeps. Rejects as the state store does. */
  async durableSubscriptions(query: DurableQuery): Promise<ServedSubscriptions> {
    const { rows, next } = (await this.#durable?.list(query)) ?? { rows: [], next: undefined };
    return { rows: rows.map((row) => ({ ...row, isServed: this.#isServed(row.agentType) })), next };
  }

  /** Removes the durable subscriptions of an agent type, or the one to a topic. Resolves to their number. */
  async removeDurableSubscriptions(agentType: string, topic: string | undefined): Promise<number> {
    const outcome = await this.#durable?.removeFor(agentType, topic);
    if (outcome === undefined) return 0;
    if (outcome.at === "done") return outcome.changed;
    throw new TroupeError("state-unavailable", outcome.reason);
  }

  /** Has a worker let its agents go and stop. */
  drainWorker(workerId: string, options: DrainWorkerOptions): Promise<DrainOutcome> {
    return this.#drains.drainWorker(workerId, options);
  }

  /** The state store that the host holds, for reading. */
  get store(): StateStore {
    return this.#held.readable;
  }

  /** The store for writing: refused as `fenced` when another host has taken it over. */
  openStore(): Promise<StateStore> {
    return this.#held.open();
  }

  /** Opens the account of one request. `party`: that of the client's address. Undefined: the operator of this machine asks. */
  openAccount(giveWay: () => void, party?: string): MemoryAccount {
    return this.#accountant.openAccount({ party: party ?? "the host", name: "request over HTTP", giveWay });
  }
}
