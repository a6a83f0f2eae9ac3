import type { ClusterMember, HostRecord } from "../../cluster/internal.ts";
import {
  type AgentName,
  type Clock,
  type CountedQueue,
  type Logger,
  loggableText,
  TroupeError,
} from "../../core/internal.ts";
import type { PeerUnary } from "../../protocol/internal.ts";
import type { AccessRules } from "../../security/internal.ts";
import { type MemoryAccount, RpcError, StatusCode } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { ForwardedCall } from "../peers/other-hosts.ts";
import type { DrainOutcome, WorkerDrains } from "../placement/worker-drains.ts";
import type { AgentOperations } from "./agent-operations.ts";
import { AgentsOfCluster, type AgentsPage, type AgentsPlace, type AsksHost, unreadable } from "./agents-of-cluster.ts";
import { encodeJson, fieldsIn, type HostStatus, operatorMethod, readGrace, readHostStatus } from "./host-status.ts";
import type { AgentsQuery } from "./listed-agents.ts";
import { encodeMessages, type MessagesOfType, type MessageTypes, readMessages } from "./message-types.ts";
import type { ListedHost, RowKinds, RowsOfHosts, RowsPage, RowsQuery } from "./rows/rows-of-hosts.ts";
import { answerDrain, type DrainQuestion, encodeDrain, readDrainOutcome } from "./worker-drain-elsewhere.ts";

/** A host of a cluster, as another one shows it. */
export interface ClusterHost {
  readonly hostId: string;
  /** Its name for people. */
  readonly name: string;
  readonly state: "up" | "draining";
  /** Whether it is the host that was asked. */
  readonly isAsked: boolean;
  /** Milliseconds since the host that was asked learnt of its newest lease, and those of a lease. */
  readonly leaseAgeMs: number;
  readonly leaseMs: number;
  /** Where other hosts, and workers, reach it. */
  readonly peerAddress: string;
  readonly workerAddress: string;
  /** Its state as it tells it itself. Null: it has not answered; `problem` says why. */
  readonly status: HostStatus | null;
  readonly problem: string | null;
}

/** A cluster, as one of its hosts shows it. */
export interface ClusterReport {
  readonly name: string;
  /** The host that was asked. */
  readonly hostId: string;
  /** The first part of all epochs. */
  readonly generation: number;
  readonly leaseMs: number;
  readonly workerLeaseMs: number;
  readonly hosts: readonly ClusterHost[];
  /** Hosts that have left or were declared dead, in the last 48 hours. */
  readonly deadHosts: number;
  /** How many shards the mail has, and the host that reads each. Null: the host that was asked keeps no mail. */
  readonly shards: {
    readonly count: number;
    readonly owners: readonly { readonly shard: number; readonly hostId: string }[];
  } | null;
}

/** The links of this host, as its operator asks them. */
export interface OperatorLinks {
  measure(): void;
  queues(): readonly CountedQueue[];
  askHost(hostId: string, call: ForwardedCall, timeoutMs: number): Promise<Uint8Array | RpcError> | undefined;
}

export interface ClusterOperationsParts {
  readonly name: string;
  readonly member: () => ClusterMember;
  /** Undefined: the host has not started. */
  readonly links: () => OperatorLinks | undefined;
  readonly statusHere: () => HostStatus;
  /** The agents of this host. */
  readonly agents: Pick<AgentOperations, "claims" | "place">;
  /** The messages of agent types that workers of this host serve. */
  readonly messageTypes: Pick<MessageTypes, "of">;
  /** The lists of this host. */
  readonly rows: RowsOfHosts;
  readonly drains: Pick<WorkerDrains, "drainWorker">;
  /** The rules for principals. Undefined: the host has no rules. */
  readonly rules: AccessRules | undefined;
  /** Stops this host in order. Never rejects. */
  readonly stop: (graceMs: number) => void;
  readonly openAccount: () => MemoryAccount;
  readonly clock: Clock;
  readonly logger: Logger | undefined;
}

export interface DrainHostOptions {
  /** Milliseconds that the drain may take. Default: that of the host, 60 000. */
  readonly graceMs?: number | undefined;
  readonly signal: AbortSignal;
}

/** Hosts of one report: a cluster has 64 at most, and each may begin anew. */
const mostHosts = 256;

// protocol.md §12.5
/** Shows and drains the hosts of a cluster for an operator, at any of them. */
export class ClusterOperations {
  readonly #parts: ClusterOperationsParts;
  readonly #agents: AgentsOfCluster;

  constructor(parts: ClusterOperationsParts) {
    this.#parts = parts;
    this.#agents = new AgentsOfCluster(parts);
  }

  /** The id of this host in its present life. */
  get hostId(): string {
    return this.#parts.member().hostId;
  }

  /** Frames that wait for other hosts. */
  queues(): readonly CountedQueue[] {
    return this.#parts.links()?.queues() ?? [];
  }

  /** Shows the cluster. Each other host has 2 s to tell its state. Rejects with the reason of `signal`. */
  async report(signal: AbortSignal): Promise<ClusterReport> {
    const { name, member: memberOf, links } = this.#parts;
    const member = memberOf();
    links()?.measure();
    const known = member.hosts.aged();
    const living = known.filter(({ record }) => record.state !== "dead").slice(0, mostHosts);
    const hosts = await this.#withAccount((account) =>
      Promise.all(living.map(({ record, ageMs }) => this.#host(member, record, ageMs, { account, signal }))),
    );
    signal.throwIfAborted();
    const { generation, hostId, times, shards } = member;
    return {
      ...{ name, hostId, generation, leaseMs: times.leaseMs, workerLeaseMs: times.workerLeaseMs },
      hosts: hosts.sort((a, b) => compare(a.name, b.name) || compare(a.hostId, b.hostId)),
      deadHosts: known.filter(({ record }) => record.state === "dead").length,
      shards: shards === undefined ? null : { count: shards.count, owners: ownersIn(shards.owners, shards.count) },
    };
  }

  /**
   * Has a host of the cluster stop in order: its Troupe workers go to other hosts first. Resolves when that host has begun. Rejects as
   * `not-found` for a host that is not up, as `wrong-state` for the last one, and as `disconnected` for one that does not answer.
   */
  async drainHost(hostId: string, { graceMs, signal }: DrainHostOptions): Promise<void> {
    const { member: memberOf, links } = this.#parts;
    const member = memberOf();
    const living = member.hosts.living();
    if (!living.some((host) => host.hostId === hostId))
      throw new TroupeError("not-found", "No host of this id is up in the cluster. See troupe hosts.");
    if (!living.some((host) => host.hostId !== hostId && host.state === "up"))
      throw new TroupeError(
        "wrong-state",
        "No other host of the cluster takes workers: its workers would have nowhere to go. Start another host first, or stop this one by SIGTERM.",
      );
    if (hostId === member.hostId) return this.#drainHere(graceMs ?? limits.drainHostMs);
    const request = encodeJson(graceMs === undefined ? {} : { graceMs });
    const answer = await this.#withAccount((account) =>
      links()?.askHost(hostId, callOf(operatorMethod.drain, request, { account, signal }), limits.peerUnaryMs),
    );
    signal.throwIfAborted();
    if (answer === undefined) throw new TroupeError("disconnected", noLink);
    if (answer instanceof RpcError) throw new TroupeError("disconnected", `${whyNot(answer)} ${tryAnother}`);
  }

  /** Lists the agents of shared types of all hosts: a page has those of one host. Each host has 2 s. Rejects with the reason of `signal`. */
  listAgents(query: Omit<AgentsQuery, "after">, place: AgentsPlace, signal: AbortSignal): Promise<AgentsPage> {
    return this.#asking(signal, (ask) => this.#agents.claims(query, { place, signal, ask }));
  }

  /** Finds the places of agents of shared types that no worker of this host has. Each host has 2 s. Rejects with the reason of `signal`. */
  findAgents(agents: readonly AgentName[], signal: AbortSignal): ReturnType<AgentsOfCluster["places"]> {
    return this.#asking(signal, (ask) => this.#agents.places(agents, ask));
  }

  /** This host and the others that are up. */
  hosts(): { readonly here: ListedHost; readonly others: readonly ListedHost[] } {
    const { hostId, hosts } = this.#parts.member();
    const living = [...hosts.living()].map((host) => ({ hostId: host.hostId, name: host.label }));
    const others = living.filter((host) => host.hostId !== hostId);
    return { here: living.find((host) => host.hostId === hostId) ?? { hostId, name: "" }, others };
  }

  /** Returns a page of a list of all hosts, in one order. Each host has 2 s. Rejects with the reason of `signal`. */
  rows<Kind extends keyof RowKinds>(
    kind: Kind,
    query: RowsQuery,
    signal: AbortSignal,
  ): Promise<RowsPage<RowKinds[Kind]>> {
    const { here, others } = this.hosts();
    return this.#asking(signal, (ask) => this.#parts.rows.page(kind, query, { around: { here, others, ask }, signal }));
  }

  /** The other host that serves a worker, as far as is known. Undefined: none does. */
  hostOfWorker(workerId: string): ListedHost | undefined {
    const member = this.#parts.member();
    const record = member.knownWorkers.get(workerId)?.record;
    if (record?.state !== "here" || record.hostId === member.hostId) return undefined;
    const host = [...member.hosts.living()].find(({ hostId }) => hostId === record.hostId);
    return host && { hostId: host.hostId, name: host.label };
  }

  /** Asks the other hosts which messages the agents of a type take that no worker of this host serves. Each host has 2 s. */
  async messagesOf(agentType: string, signal: AbortSignal): Promise<MessagesOfType> {
    const { hosts, hostId: own } = this.#parts.member();
    const others = [...hosts.living()].filter(({ hostId }) => hostId !== own).slice(0, mostHosts);
    const request = encodeJson({ type: agentType });
    const answers = await this.#asking(signal, (ask) =>
      Promise.all(
        others.map(async ({ hostId, label }): Promise<MessagesOfType> => {
          const answer = await ask(hostId, operatorMethod.messages, request);
          const told = typeof answer === "string" ? answer : readMessages(answer);
          if (typeof told === "object") return told;
          return { at: "untold", reason: `The host ${label} does not tell them. ${told ?? ""}`.trimEnd() };
        }),
      ),
    );
    const byUse = ["told", "untold"].map((at) => answers.find((answer) => answer.at === at));
    return byUse.find((answer) => answer !== undefined) ?? { at: "unserved" };
  }

  /**
   * Has another host drain a worker of its own, however long that takes. Resolves to its outcome. Rejects as `disconnected` if that host does
   * not answer, and with the reason of `signal`.
   */
  drainWorker({ hostId, name }: ListedHost, question: DrainQuestion, signal: AbortSignal): Promise<DrainOutcome> {
    const timeoutMs = (question.graceMs ?? limits.longestDrainMs) + limits.peerUnaryMs;
    return this.#asking(
      signal,
      async (ask) => {
        const answer = await ask(hostId, operatorMethod.drainWorker, encodeDrain(question));
        const outcome = typeof answer === "string" ? answer : (readDrainOutcome(answer) ?? unreadable);
        if (typeof outcome !== "string") return outcome;
        const host = loggableText(name || hostId);
        throw new TroupeError(
          "disconnected",
          `The host ${host} has the worker, and has not said that it is drained: ${loggableText(outcome)} See troupe workers.`,
        );
      },
      timeoutMs,
    );
  }

  async #asking<T>(
    signal: AbortSignal,
    use: (ask: AsksHost) => Promise<T>,
    timeoutMs: number = limits.hostStatusMs,
  ): Promise<T> {
    const outcome = await this.#withAccount((account) =>
      use(async (hostId, method, request) => {
        const call = callOf(method, request, { account, signal });
        const answer = await this.#parts.links()?.askHost(hostId, call, timeoutMs);
        if (answer === undefined) return noLink;
        return answer instanceof RpcError ? whyNot(answer) : answer;
      }),
    );
    signal.throwIfAborted();
    return outcome;
  }

  /** Answers what the operator of another host asks. Undefined: it is nothing of an operator's. */
  answer(ask: PeerUnary): Promise<Uint8Array> | undefined {
    const { method, request } = ask;
    switch (method) {
      case operatorMethod.status:
        this.#parts.links()?.measure();
        return Promise.resolve(encodeJson(this.#parts.statusHere()));
      case operatorMethod.drain: {
        const graceMs = readGrace(request);
        if (graceMs === "invalid")
          return Promise.reject(new RpcError(StatusCode.invalidArgument, "The time of the drain can't be read."));
        this.#drainHere(graceMs ?? limits.drainHostMs);
        return Promise.resolve(encodeJson({}));
      }
      case operatorMethod.messages: {
        const type = fieldsIn(request, 8 * limits.nameChars)?.type;
        if (typeof type !== "string")
          return Promise.reject(new RpcError(StatusCode.invalidArgument, "The agent type can't be read."));
        return this.#parts.messageTypes.of(type, AbortSignal.timeout(limits.hostStatusMs)).then(encodeMessages);
      }
      case operatorMethod.drainWorker:
        return answerDrain(request, this.#parts);
      default:
        return this.#agents.answer(ask) ?? this.#parts.rows.answer(ask);
    }
  }

  async #host(
    member: ClusterMember,
    record: HostRecord,
    ageMs: number,
    asked: Pick<ForwardedCall["call"], "account" | "signal">,
  ): Promise<ClusterHost> {
    const { hostId, label, state, leaseMs, peerAddress, workerAddress } = record;
    const isAsked = hostId === member.hostId;
    const told = isAsked ? this.#parts.statusHere() : await this.#statusOf(hostId, asked);
    const isTold = typeof told !== "string";
    return {
      ...{ hostId, name: label, isAsked, leaseAgeMs: Math.max(0, ageMs), leaseMs, peerAddress, workerAddress },
      state: state === "draining" ? "draining" : "up",
      status: isTold ? told : null,
      problem: isTold ? null : told,
    };
  }

  /** Returns the status of another host, or the reason for which it did not answer. */
  async #statusOf(
    hostId: string,
    asked: Pick<ForwardedCall["call"], "account" | "signal">,
  ): Promise<HostStatus | string> {
    const call = callOf(operatorMethod.status, encodeJson({}), asked);
    const answer = await this.#parts.links()?.askHost(hostId, call, limits.hostStatusMs);
    if (answer === undefined) return noLink;
    if (answer instanceof RpcError) return whyNot(answer);
    return readHostStatus(answer) ?? unreadable;
  }

  #drainHere(graceMs: number): void {
    const { clock, logger, stop } = this.#parts;
    logger?.info("an operator drains this host", { graceMs });
    // The answer leaves first.
    clock.setTimer(0, () => stop(graceMs));
  }

  async #withAccount<T>(use: (account: MemoryAccount) => T): Promise<Awaited<T>> {
    const account = this.#parts.openAccount();
    try {
      return await use(account);
    } finally {
      account.close();
    }
  }
}

const noLink = "The host that was asked has no link to it.";
const tryAnother = "Ask another host for it (--name), or end its process.";

function callOf(
  method: string,
  request: Uint8Array,
  { account, signal }: Pick<ForwardedCall["call"], "account" | "signal">,
): ForwardedCall {
  const call = { method, metadata: {}, peer: "the operator", account, signal };
  return { method, clientId: "operator", principal: undefined, request, call };
}

function whyNot({ status }: RpcError): string {
  return status.code === StatusCode.unimplemented ? "It is of an older version, and does not answer." : status.details;
}

/** Records of shards that no host has are not believed. */
function ownersIn(owners: ReadonlyMap<number, string>, count: number) {
  return [...owners]
    .filter(([shard]) => shard < count)
    .map(([shard, hostId]) => ({ shard, hostId }))
    .sort((a, b) => a.shard - b.shard);
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
