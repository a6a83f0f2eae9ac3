import { anyRoom, assertOptions, number, optionShape, signal as signalKind } from "../../core/internal.ts";
import type { BatchRunner } from "../batch-runner.ts";
import type { HostCounters } from "../counters.ts";
import { firstListed } from "../limits.ts";
import type { AgentDirectory } from "../placement/agent-directory.ts";
import type { LeavingAgents } from "../placement/leaving-agents.ts";
import type { Workers } from "../placement/workers.ts";
import type { Principal } from "../principal.ts";
import type { Registry } from "../registry/registry.ts";
import type { TypeOwners } from "../registry/type-owners.ts";
import type { ChannelTable } from "../sessions/channel-table.ts";
import type { Session } from "../sessions/session.ts";

/** The state of one worker's data channel, for operators. */
export interface SessionReport {
  readonly clientId: string;
  /** Where the worker's connection comes from. */
  readonly address: string;
  /** Frames and bytes that wait to be sent to the worker. */
  readonly queuedFrames: number;
  readonly queuedBytes: number;
  /** All that the worker's connection makes the host keep, in bytes. */
  readonly heldBytes: number;
  /** Calls that the worker waits for, and calls that it was sent and has not answered. */
  readonly outgoingCalls: number;
  readonly incomingCalls: number;
  /** Events kept from the worker, and calls to it answered `overloaded`, because its queue was full. */
  readonly droppedEvents: number;
  readonly refusedCalls: number;
}

/** A worker with an open data channel, as `inspect()` shows it. */
export interface InspectedSession extends SessionReport {
  /** The worker's gRPC library as it names itself; empty if it does not. */
  readonly userAgent: string;
  /** True: the worker announced itself as Troupe's. */
  readonly isAnnounced: boolean;
  /** The longest frame that the worker takes, in bytes; undefined: any. */
  readonly maxFrameBytes: number | undefined;
  readonly takesJsonEvents: boolean;
  /** Milliseconds in which the worker may come back and find its registrations. */
  readonly reconnectGraceMs: number;
  readonly principal: Principal | undefined;
  /** True: the control channel of the same client id is open. */
  readonly hasControlChannel: boolean;
  /** At most 100 of the agent types that the worker serves, and how many there are. */
  readonly types: readonly string[];
  readonly typeCount: number;
  readonly subscriptionCount: number;
}

/** An agent type and the client ids of the workers that serve it. */
export interface InspectedType {
  readonly agentType: string;
  readonly owners: readonly string[];
}

/** A running worker, over all its data channels. A stock worker is one for each channel. */
export interface InspectedWorker {
  /** The id that the worker gave itself; `drainWorker` takes it. Of a stock worker its client id. */
  readonly workerId: string;
  /** Stays the same over restarts of the worker, if it was given one. */
  readonly name: string;
  readonly version: string | undefined;
  readonly labels: { readonly [label: string]: string };
  /** The client ids of its open data channels, the oldest first. */
  readonly clientIds: readonly string[];
  /** At most 100 of the agent types that the worker serves, and how many there are. */
  readonly types: readonly string[];
  readonly typeCount: number;
  /** Agents of shared types that the worker holds, and those of them that leave it. */
  readonly claims: number;
  readonly leaving: number;
  /** True: the worker stops, and gets no new agents of shared types. */
  readonly isDraining: boolean;
  /** Calls that the worker was sent and has not answered. */
  readonly outstanding: number;
}

/** The present of a host. It is gathered over several turns of the event loop, so its parts may be milliseconds apart. */
export interface HostSnapshot {
  readonly sessions: readonly InspectedSession[];
  readonly workers: readonly InspectedWorker[];
  readonly types: readonly InspectedType[];
  /** True: there are more sessions, workers or types than were asked for. */
  readonly isCut: boolean;
  readonly totals: HostCounters;
}

/** Options of `inspect()`. */
export interface InspectOptions {
  /** The most sessions that are listed, and the most workers. Default 10 000. */
  readonly maxSessions?: number | undefined;
  /** The most agent types that are listed. Default 10 000. */
  readonly maxTypes?: number | undefined;
  /** Ends the gathering: `inspect` rejects with the reason. */
  readonly signal?: AbortSignal | undefined;
}

const inspectShape = optionShape<InspectOptions>({
  maxSessions: number(anyRoom),
  maxTypes: number(anyRoom),
  signal: signalKind,
});

export interface InspectionParts {
  readonly batches: BatchRunner;
  readonly sessions: ChannelTable<Session>;
  readonly controlSessions: { of(clientId: string): object | undefined };
  readonly registry: Registry;
  readonly owners: TypeOwners;
  readonly workers: Workers;
  readonly directory: AgentDirectory;
  readonly leaving: LeavingAgents;
  readonly counters: () => HostCounters;
}

/** Shows the present of a host in batches, so that a host with 10 000 workers carries messages meanwhile. */
export class Inspection {
  readonly #parts: InspectionParts;

  constructor(parts: InspectionParts) {
    this.#parts = parts;
  }

  async inspect(options: InspectOptions = {}): Promise<HostSnapshot> {
    assertOptions(options, inspectShape, "inspect");
    const { maxSessions = 10_000, maxTypes = 10_000, signal } = options;
    return new Promise((resolve, reject) => {
      this.#parts.batches.add(this, this.#gather({ maxSessions, maxTypes, signal, resolve, reject }));
    });
  }

  *#gather(asked: {
    readonly maxSessions: number;
    readonly maxTypes: number;
    readonly signal: AbortSignal | undefined;
    readonly resolve: (snapshot: HostSnapshot) => void;
    readonly reject: (reason: unknown) => void;
  }): Iterable<() => void> {
    const { sessions: table, workers: known, owners, counters } = this.#parts;
    const { maxSessions, maxTypes, signal, resolve, reject } = asked;
    const sessions: InspectedSession[] = [];
    const workers: InspectedWorker[] = [];
    const types: InspectedType[] = [];
    let isCut = false;
    // Between two batches a worker may leave and come back; the table then holds it a second time, further on.
    const seen = new Set<string>();
    for (const session of table.values()) {
      if (signal?.aborted) return reject(signal.reason);
      if (seen.has(session.id)) continue;
      seen.add(session.id);
      if (sessions.length >= maxSessions) {
        isCut = true;
        break;
      }
      yield () => sessions.push(this.#inspected(session));
    }
    seen.clear();
    for (const workerId of known.ids()) {
      if (signal?.aborted) return reject(signal.reason);
      if (seen.has(workerId)) continue;
      seen.add(workerId);
      if (workers.length >= maxSessions) {
        isCut = true;
        break;
      }
      yield () => {
        const worker = this.#inspectedWorker(workerId);
        if (worker !== undefined) workers.push(worker);
      };
    }
    seen.clear();
    for (const agentType of owners.types()) {
      if (signal?.aborted) return reject(signal.reason);
      if (seen.has(agentType)) continue;
      seen.add(agentType);
      if (types.length >= maxTypes) {
        isCut = true;
        break;
      }
      yield () => types.push({ agentType, owners: firstListed(owners.owners(agentType)) });
    }
    if (signal?.aborted) reject(signal.reason);
    else resolve({ sessions, workers, types, isCut, totals: counters() });
  }

  #inspectedWorker(workerId: string): InspectedWorker | undefined {
    const { workers, directory, leaving, registry } = this.#parts;
    const peers = workers.peersOf(workerId);
    const newest = peers.at(-1);
    if (newest === undefined) return undefined;
    const types = new Set(peers.flatMap(({ id }) => [...registry.declaredBy(id).types]));
    const { name, version, labels } = newest.worker;
    return {
      ...{ workerId, name, version, labels },
      clientIds: peers.map(({ id }) => id),
      types: firstListed(types),
      typeCount: types.size,
      claims: directory.countOf(workerId),
      leaving: leaving.countOf(workerId),
      isDraining: workers.isDraining(workerId),
      outstanding: peers.reduce((sum, { incomingCalls }) => sum + incomingCalls.size, 0),
    };
  }

  #inspected(session: Session): InspectedSession {
    const { registry, controlSessions } = this.#parts;
    const { owner, traits } = session;
    const { types, subscriptionCount } = registry.declaredBy(session.id);
    const { isAnnounced, maxFrameBytes, takesJsonEvents, reconnectGraceMs } = traits;
    return {
      ...reportOf(session),
      userAgent: owner.userAgent,
      principal: owner.principal,
      ...{ isAnnounced, takesJsonEvents, reconnectGraceMs },
      maxFrameBytes: Number.isFinite(maxFrameBytes) ? maxFrameBytes : undefined,
      hasControlChannel: controlSessions.of(session.id) !== undefined,
      types: firstListed(types),
      typeCount: types.size,
      subscriptionCount,
    };
  }
}

export function reportOf(session: Session): SessionReport {
  const { id, owner, queuedFrames, queuedBytes, outgoingCalls, incomingCalls, droppedEvents, refusedCalls, account } =
    session;
  return {
    clientId: id,
    address: owner.address,
    ...{ queuedFrames, queuedBytes, heldBytes: account.held, droppedEvents, refusedCalls },
    outgoingCalls: outgoingCalls.size,
    incomingCalls: incomingCalls.size,
  };
}
