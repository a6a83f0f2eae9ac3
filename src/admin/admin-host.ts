import type { Clock, DurableLog, StateStore } from "../core/internal.ts";
import type {
  AgentOperations,
  ClusterOperations,
  DrainOutcome,
  DrainWorkerOptions,
  HostHealth,
  HostOperations,
} from "../host/internal.ts";
import type { RequestAccount } from "../http/internal.ts";

/** The part of a host that the admin entry needs. */
export interface AdminHost {
  /** The state of the host for probes. */
  readonly health: HostHealth;
  readonly agents: Pick<AgentOperations, "claims" | "place" | "deactivate" | "destroy">;
  readonly clock: Clock;
  /** The state store of the host, for reading. */
  readonly store: StateStore;
  /** The mail of the host, or of its cluster. Undefined: it keeps none. */
  readonly log: DurableLog | undefined;
  /** The store for writing. */
  openStore(): Promise<StateStore>;
  /** Calls under way of this host. */
  readonly messages: Pick<HostOperations["messages"], "calls">;
  /** Returns a page of a list of all hosts of the cluster, or of this host if it is alone. */
  rows: HostOperations["rows"];
  /** Lists the failures that the entry keeps, also for other hosts. Returns what ends that. */
  listFailures: HostOperations["listFailures"];
  /** Lists the traces that the entry keeps, also for other hosts. Returns what ends that. */
  listTraces: HostOperations["listTraces"];
  /** Lists the numbers over time that the entry keeps, also for other hosts. Returns what ends that. */
  listActivity: HostOperations["listActivity"];
  /** Lets other hosts read what happens at this one. Returns what ends that. */
  tellFeeds: HostOperations["tellFeeds"];
  /** This host and the others that are up in its cluster. */
  hosts: HostOperations["hosts"];
  /** Takes an event from a publisher that is not a worker. */
  readonly publish: HostOperations["publish"];
  /** Takes a call from a caller that is not a worker. */
  readonly call: HostOperations["call"];
  /** Asks workers which messages their agents take. */
  readonly messageTypes: Pick<HostOperations["messageTypes"], "of">;
  /** Tells an observer what happens from now on. Returns what ends that. */
  readonly observe: HostOperations["observe"];
  /** Reads what messages say while an operator watches it. */
  readonly payloads: HostOperations["payloads"];
  /** Dead letters that the host has deleted since its start, because all had too many bytes. */
  readonly forgottenLetters: number;
  /** Returns a page of the durable subscriptions that the host keeps. */
  durableSubscriptions: HostOperations["durableSubscriptions"];
  /** Removes those of an agent type, or the one to a topic. Resolves to their number. */
  removeDurableSubscriptions: HostOperations["removeDurableSubscriptions"];
  /** Has a worker let its agents go and stop. `signal` ends the wait alone. */
  drainWorker(workerId: string, options: DrainWorkerOptions): Promise<DrainOutcome>;
  /** Shows and drains the hosts of the cluster. Undefined: the host is alone. */
  readonly cluster:
    | Pick<
        ClusterOperations,
        "hostId" | "report" | "drainHost" | "listAgents" | "findAgents" | "hostOfWorker" | "drainWorker" | "messagesOf"
      >
    | undefined;
  /**
   * Opens the account of one request; `giveWay` is called when others need its bytes. `party`: that of the client's address. Undefined: the
   * operator of this machine asks.
   */
  openAccount(giveWay: () => void, party?: string): RequestAccount;
}
