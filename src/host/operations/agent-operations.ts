import { type AgentName, type Epoch, NotAccessibleError, TroupeError } from "../../core/internal.ts";
import {
  agentDestination,
  clientDestination,
  decodeControl,
  emptyMessage,
  encodeControl,
  peerLinks,
} from "../../protocol/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { ControlSession } from "../control/control-session.ts";
import type { HostAsks } from "../control/host-asks.ts";
import type { HeldStore } from "../held-store.ts";
import { limits } from "../limits.ts";
import type { OthersSeat } from "../peers/other-hosts.ts";
import type { AgentDirectory, Claim, ClaimQuery } from "../placement/agent-directory.ts";
import type { Workers } from "../placement/workers.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { Peer, PeerTable } from "../sessions/peer.ts";

export interface AgentOperationsParts {
  readonly owners: TypeOwners;
  readonly directory: AgentDirectory;
  readonly workers: Workers;
  readonly peers: PeerTable;
  readonly controlSessions: { of(clientId: string): ControlSession | undefined };
  readonly asks: HostAsks;
  readonly held: HeldStore;
  readonly batches: BatchRunner;
  readonly others: OthersSeat;
}

type Ending = "deactivate-request" | "destroy-request";
/** The name under which another host ends an agent for this one's operator. */
const hostName = "troupe.host";

/** Where an agent is. */
export interface AgentPlace {
  /** `exclusive`: one worker serves its type. `shared`: several do. `unserved`: none does. */
  readonly sharing: "exclusive" | "shared" | "unserved";
  /** The worker to which messages for the agent go. Undefined: there is none, or the next message chooses one. */
  readonly workerId: string | undefined;
  /** The epoch of its claim, for an agent of a shared type. */
  readonly epoch: Epoch | undefined;
}

/** Claims of agents, for an operator. */
export interface ListedClaims {
  readonly claims: readonly Claim[];
  /** Undefined: there are no more. */
  readonly next: number | undefined;
}

/** A page of claims that no filter admits takes the time of this number of tasks. */
const tasksOfPage = 10;
const doNothing = (): void => undefined;

/** Finds agents for an operator, and ends them at their workers. It places no agent. */
export class AgentOperations {
  readonly #parts: AgentOperationsParts;

  constructor(parts: AgentOperationsParts) {
    this.#parts = parts;
  }

  /**
   * Lists agents of shared types with their places. The search runs in batches, so that messages go on meanwhile. Rejects with the reason
   * of `signal`.
   */
  claims(query: ClaimQuery & { readonly limit: number }, signal: AbortSignal): Promise<ListedClaims> {
    return new Promise((resolve, reject) => {
      const settle = { resolve, reject };
      this.#parts.batches.add(settle, this.#search(query, signal, settle));
    });
  }

  place({ type, key }: AgentName): AgentPlace {
    const { owners, directory, peers } = this.#parts;
    const shared = owners.hasShared ? owners.shared(type) : undefined;
    if (shared !== undefined) {
      const claim = directory.find(shared, key);
      return { sharing: "shared", workerId: claim?.workerId, epoch: claim?.epoch };
    }
    const clientId = owners.locate(type, key);
    if (clientId === undefined) {
      const workerId = directory.cluster?.exclusive(type)?.workerId;
      return { sharing: workerId === undefined ? "unserved" : "exclusive", workerId, epoch: undefined };
    }
    return { sharing: "exclusive", workerId: peers.of(clientId)?.worker.id ?? clientId, epoch: undefined };
  }

  /**
   * Has the worker of an agent end its activation. Resolves to false if no worker has the agent. Rejects as `not-accessible` where the
   * worker can't.
   */
  async deactivate(agent: AgentName, signal: AbortSignal): Promise<boolean> {
    const peer = this.#peerOf(agent);
    if (peer === undefined) return this.#endElsewhere("deactivate-request", agent, signal);
    await this.#ask(peer, "deactivate-request", agent, signal);
    return true;
  }

  /** As `deactivate`; nothing is kept of the agent then, also where no worker has it. Resolves to whether a worker had it. */
  async destroy(agent: AgentName, signal: AbortSignal): Promise<boolean> {
    const peer = this.#peerOf(agent);
    if (peer === undefined) {
      if (await this.#endElsewhere("destroy-request", agent, signal)) return true;
      await this.#forget(agent);
      return false;
    }
    await this.#ask(peer, "destroy-request", agent, signal);
    return true;
  }

  // protocol.md §12.4
  /** Ends an agent for the operator of another host. Rejects as NOT_FOUND if no worker here has it. */
  async endForOther(request: Uint8Array): Promise<Uint8Array> {
    const { body } = decodeControl(request);
    if ((body?.kind !== "deactivate-request" && body?.kind !== "destroy-request") || body.agentId === undefined)
      throw new RpcError(StatusCode.invalidArgument, "The request names no agent to end.");
    const peer = this.#peerOf(body.agentId);
    if (peer === undefined) throw new RpcError(StatusCode.notFound, "No worker of this host has the agent.");
    await this.#ask(peer, body.kind, body.agentId, undefined);
    return emptyMessage;
  }

  /** Has the host end an agent that has it. Resolves to false if no other host has it. Rejects if one does not say. */
  async #endElsewhere(kind: Ending, agent: AgentName, signal: AbortSignal): Promise<boolean> {
    const { others } = this.#parts;
    if (!others.now.areThere) return false;
    const names = { destination: agentDestination(agent), respondTo: clientDestination(hostName) };
    const request = encodeControl({ rpcId: "", ...names, body: { kind, agentId: agent } });
    const call = { metadata: {}, signal, account: undefined };
    const ask = { method: peerLinks.endAgent, clientId: hostName, principal: undefined, request, call };
    const answers = await others.now.askAll(ask, limits.hostAskMs);
    signal.throwIfAborted();
    if (answers.some((answer) => !(answer instanceof RpcError))) return true;
    const unsure = answers.find((answer) => answer instanceof RpcError && answer.status.code !== StatusCode.notFound);
    if (unsure instanceof RpcError)
      throw new NotAccessibleError(`Another host of the cluster could not end the agent: ${unsure.message}`);
    return false;
  }

  *#search(
    query: ClaimQuery & { readonly limit: number },
    signal: AbortSignal,
    { resolve, reject }: { resolve: (found: ListedClaims) => void; reject: (reason: unknown) => void },
  ): Iterable<() => void> {
    const claims: Claim[] = [];
    let next: number | undefined = query.after ?? 0;
    while (next !== undefined && claims.length < query.limit) {
      if (signal.aborted) return reject(signal.reason);
      yield () => {
        const page = this.#parts.directory.list({ ...query, after: next, limit: query.limit - claims.length });
        claims.push(...page.claims);
        next = page.next;
      };
      for (let pause = 1; pause < tasksOfPage; pause += 1) yield doNothing;
    }
    resolve({ claims, next });
  }

  /** The channel of the worker that has the agent. */
  #peerOf(agent: AgentName): Peer | undefined {
    const { owners, workers, peers, directory } = this.#parts;
    const shared = owners.hasShared ? owners.shared(agent.type) : undefined;
    if (shared === undefined) {
      const clientId = owners.locate(agent.type, agent.key);
      if (clientId === undefined) return undefined;
      const peer = peers.of(clientId);
      if (peer !== undefined) return peer;
      throw new NotAccessibleError(
        `Worker ${clientId} serves ${agent.type}, and is not connected now. Try again later.`,
      );
    }
    const claim = directory.find(shared, agent.key);
    return claim && workers.peerOf(claim.workerId);
  }

  async #ask(
    { id, traits, worker }: Peer,
    kind: Ending,
    { type, key }: AgentName,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (!traits.isAnnounced) {
      const text = `Worker ${worker.id} is one of AutoGen's, which can't end a single agent. Restart the worker.`;
      throw new NotAccessibleError(text);
    }
    const session = this.#parts.controlSessions.of(id);
    if (session === undefined) {
      throw new NotAccessibleError(`Worker ${worker.id} has no control channel now. Try again later.`);
    }
    const timeoutMs = limits.hostAskMs;
    const { epoch } = this.place({ type, key });
    const request = { kind, agentId: { type, key } };
    const answer = await this.#parts.asks.ask(session, request, { timeoutMs, signal, epoch });
    const expected = kind === "destroy-request" ? "destroy-response" : "deactivate-response";
    if (answer.kind === expected) return;
    throw new TroupeError("unexpected-answer", `Worker ${worker.id} answered with a ${answer.kind}.`);
  }

  /** Deletes what the store keeps of an agent that no worker has, under an epoch that is newer than any that it had. */
  async #forget(agent: AgentName): Promise<void> {
    const { owners, directory, held } = this.#parts;
    const shared = owners.hasShared ? owners.shared(agent.type) : undefined;
    const store = await held.open();
    const { incarnation: generation } = held;
    const own = shared === undefined ? { generation, era: owners.era, number: 0 } : directory.newestEpoch(shared);
    // Other hosts may know newer ones. The deleted record leaves the epoch that it had.
    const epoch = directory.cluster === undefined ? own : undefined;
    const parts = { reminders: [], mail: [], remembered: [] };
    const [outcome] = await store.commit([
      { agent, epoch, expected: { at: "anything" }, write: { at: "delete" }, ...parts },
    ]);
    if (outcome?.at === "committed") return;
    throw new TroupeError("state-conflict", "Another writer has just written this agent. Look at it, and try again.");
  }
}
