import type { ClusterMember, HostRecord } from "../../cluster/internal.ts";
import type { AgentName } from "../../core/internal.ts";
import type { PeerUnary } from "../../protocol/internal.ts";
import { RpcError, StatusCode } from "../../transport/internal.ts";
import { limits } from "../limits.ts";
import type { Claim } from "../placement/agent-directory.ts";
import type { AgentOperations } from "./agent-operations.ts";
import { operatorMethod } from "./host-status.ts";
import {
  type AgentsQuery,
  type ClaimsOfHost,
  countThatFits,
  encodeAgentNames,
  encodeAgents,
  encodeAgentsQuery,
  encodePlaces,
  readAgentNames,
  readAgents,
  readAgentsQuery,
  readPlaces,
  type ToldPlace,
} from "./listed-agents.ts";

/** A host of the cluster that has not answered a question of an operator. */
export interface UnansweredHost {
  readonly hostId: string;
  /** Its name for people. */
  readonly name: string;
  readonly problem: string;
}

/** A place in the list of the agents of all hosts. `hostId` undefined: of the host that is asked. */
export interface AgentsPlace {
  readonly hostId: string | undefined;
  readonly claim: number;
}

/** Agents of one host, in the list of those of all hosts. */
export interface AgentsPage {
  readonly claims: readonly Claim[];
  /** Undefined: there are no more. */
  readonly next: AgentsPlace | undefined;
  readonly unanswered: readonly UnansweredHost[];
}

/** Asks another host for an operator. Resolves to its answer, or to the reason why it has not answered. */
export type AsksHost = (hostId: string, method: string, request: Uint8Array) => Promise<Uint8Array | string>;

export interface AgentsOfClusterParts {
  readonly member: () => ClusterMember;
  readonly agents: Pick<AgentOperations, "claims" | "place">;
}

export const unreadable = "It has answered what this version can't read.";

// protocol.md §12.5
/** Finds agents of shared types at all hosts of a cluster, for an operator at any of them. It places no agent. */
export class AgentsOfCluster {
  readonly #parts: AgentsOfClusterParts;

  constructor(parts: AgentsOfClusterParts) {
    this.#parts = parts;
  }

  /** Lists agents with their places: first those of this host, then those of each other one. A page has agents of one host. */
  async claims(
    query: Omit<AgentsQuery, "after">,
    { place, signal, ask }: { readonly place: AgentsPlace; readonly signal: AbortSignal; readonly ask: AsksHost },
  ): Promise<AgentsPage> {
    const { hostId, claim: after } = place;
    if (hostId === undefined) {
      const { claims, next } = await this.#parts.agents.claims({ ...query, after }, signal);
      return { claims, next: next === undefined ? this.#after("") : { hostId, claim: next }, unanswered: [] };
    }
    const host = this.#others().find((other) => other.hostId === hostId);
    // It has left the cluster since the page before.
    if (host === undefined) return { claims: [], next: this.#after(hostId), unanswered: [] };
    const answer = await ask(hostId, operatorMethod.agents, encodeAgentsQuery({ ...query, after }));
    const told = typeof answer === "string" ? answer : (readAgents(answer) ?? unreadable);
    if (typeof told === "string")
      return { claims: [], next: this.#after(hostId), unanswered: [unanswered(host, told)] };
    return {
      claims: told.claims,
      next: told.next === undefined ? this.#after(hostId) : { hostId, claim: told.next },
      unanswered: [],
    };
  }

  /** Finds the places of agents that no worker of this host has. */
  async places(
    agents: readonly AgentName[],
    ask: AsksHost,
  ): Promise<{ readonly places: readonly (ToldPlace | undefined)[]; readonly unanswered: readonly UnansweredHost[] }> {
    if (agents.length === 0) return { places: [], unanswered: [] };
    const request = encodeAgentNames(agents);
    const silent: UnansweredHost[] = [];
    const told = await Promise.all(
      this.#others().map(async (host) => {
        const answer = await ask(host.hostId, operatorMethod.places, request);
        const places = typeof answer === "string" ? answer : (readPlaces(answer, agents.length) ?? unreadable);
        if (typeof places !== "string") return places;
        silent.push(unanswered(host, places));
        return [];
      }),
    );
    // While an agent moves, two hosts may name a worker: either is as good.
    return { places: agents.map((_, at) => told.find((ofHost) => ofHost[at])?.[at]), unanswered: silent };
  }

  /** Answers what the operator of another host asks. Undefined: it is nothing about agents. */
  answer({ method, request }: PeerUnary): Promise<Uint8Array> | undefined {
    switch (method) {
      case operatorMethod.agents:
        return this.#answerList(request);
      case operatorMethod.places:
        return this.#answerPlaces(request);
      default:
        return undefined;
    }
  }

  async #answerList(request: Uint8Array): Promise<Uint8Array> {
    const query = readAgentsQuery(request);
    if (query === undefined) throw new RpcError(StatusCode.invalidArgument, "The list of agents can't be read.");
    const signal = AbortSignal.timeout(limits.hostStatusMs);
    const page: ClaimsOfHost = await this.#parts.agents.claims(query, signal);
    const fitting = countThatFits(page.claims);
    if (fitting === page.claims.length) return encodeAgents(page);
    // The list goes by places in a table: a shorter page says where its last agent is.
    return encodeAgents(await this.#parts.agents.claims({ ...query, limit: fitting }, signal));
  }

  async #answerPlaces(request: Uint8Array): Promise<Uint8Array> {
    const agents = readAgentNames(request);
    if (agents === undefined) throw new RpcError(StatusCode.invalidArgument, "The names of the agents can't be read.");
    return encodePlaces(
      agents.map((agent) => {
        const { sharing, workerId, epoch } = this.#parts.agents.place(agent);
        return sharing === "shared" && workerId !== undefined && epoch !== undefined ? { workerId, epoch } : undefined;
      }),
    );
  }

  /** The place behind all agents of a host. Undefined: there are no more. */
  #after(hostId: string): AgentsPlace | undefined {
    const next = this.#others().find((host) => host.hostId > hostId);
    return next && { hostId: next.hostId, claim: 0 };
  }

  /** The other hosts, in the order of the list. */
  #others(): readonly HostRecord[] {
    const member = this.#parts.member();
    return [...member.hosts.living()]
      .filter(({ hostId }) => hostId !== member.hostId)
      .sort((a, b) => (a.hostId < b.hostId ? -1 : 1));
  }
}

function unanswered({ hostId, label }: HostRecord, problem: string): UnansweredHost {
  return { hostId, name: label, problem };
}
