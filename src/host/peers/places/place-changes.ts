import type { ClusterView } from "../cluster-view.ts";
import { keyOfType, keyOfWorker } from "../other-hosts.ts";
import type { WorkersElsewhere } from "../told/workers-elsewhere.ts";
import { type CallLink, WorkerElsewhere } from "../worker-elsewhere.ts";
import type { LinkFlushes } from "./link-flushes.ts";
import type { PlaceGates } from "./place-gates.ts";

export interface PlaceChangesParts {
  readonly cluster: Pick<ClusterView, "workerOf">;
  readonly workers: WorkersElsewhere;
  readonly gates: PlaceGates;
  readonly flushes: LinkFlushes;
  /** Whether the cluster is asked for the place of a type now. */
  readonly isSought: (agentType: string) => boolean;
}

// protocol.md §12.2
/**
 * Closes gates while the place of exclusive types changes: what is on its way to the place before comes back first. So the messages of each
 * sender keep their order when a worker goes to another host.
 */
export class PlaceChanges {
  readonly #parts: PlaceChangesParts;
  /** Channels and links from which messages come back, with the gates that are closed until then. */
  readonly #flushed = new Map<WorkerElsewhere | CallLink, Set<string>>();

  constructor(parts: PlaceChangesParts) {
    this.#parts = parts;
  }

  /** The key of the gate at which messages for a type must wait now. */
  gateFor(agentType: string): string | undefined {
    const { gates, cluster } = this.#parts;
    const key = gates.keyOf(agentType);
    if (key !== undefined) return key;
    const workerId = cluster.workerOf(agentType);
    if (workerId === undefined || !gates.isClosed(keyOfWorker(workerId))) return undefined;
    return keyOfWorker(workerId);
  }

  /** A call comes back. Returns the key of the gate at which it waits. */
  callCameBack(from: WorkerElsewhere, agentType: string): string {
    const key = this.#parts.gates.keyOf(agentType) ?? keyOfWorker(from.worker.id);
    this.#flush(from, key);
    return key;
  }

  /** An event comes back, which names no worker. */
  eventCameBack(link: CallLink, agentType: string): string {
    const { gates, cluster, workers } = this.#parts;
    const workerId = cluster.workerOf(agentType);
    const ownKey = workerId === undefined ? keyOfType(agentType) : keyOfWorker(workerId);
    const key = gates.keyOf(agentType) ?? ownKey;
    const worker = workerId === undefined ? undefined : workers.ofWorker(workerId);
    this.#flush(worker?.link === link ? worker : link, key);
    return key;
  }

  /** The place of a type has changed: what waits for it looks for its place again. */
  typeChanged(agentType: string): void {
    const { gates, isSought } = this.#parts;
    const key = gates.isInUse ? gates.keyOf(agentType) : undefined;
    if (key !== undefined && !isSought(agentType)) gates.release(key);
  }

  /** A worker has a channel here. Messages of this host may be on their way to the host from which it comes. */
  cameHere(workerId: string): void {
    const before = this.#parts.workers.ofWorker(workerId);
    if (before !== undefined) this.#flush(before, keyOfWorker(workerId));
  }

  /** A worker of another host has a channel. The end of its older one may be told later, on the link to another host. */
  cameThere(worker: WorkerElsewhere): void {
    const { workers, gates } = this.#parts;
    const { id } = worker.worker;
    const before = workers.ofWorker(id);
    workers.add(worker);
    if (before !== undefined && workers.ofWorker(id) !== before) this.#flush(before, keyOfWorker(id));
    else gates.release(keyOfWorker(id));
  }

  /** A channel of a worker of another host has ended. */
  leftThere(worker: WorkerElsewhere): void {
    const { workers } = this.#parts;
    const { id } = worker.worker;
    const isNewest = workers.ofWorker(id) === worker;
    workers.remove(worker);
    if (isNewest) this.#flush(worker, keyOfWorker(id));
  }

  /** The gate is closed until all has come back that is on its way to a channel. */
  #flush(from: WorkerElsewhere | CallLink, key: string): void {
    const { gates, flushes } = this.#parts;
    const [link, slot] = from instanceof WorkerElsewhere ? [from.link, from.slot] : [from, 0];
    const known = this.#flushed.get(from);
    if (known?.has(key) || (known === undefined && !link.isOpen)) return;
    gates.close(key);
    if (known !== undefined) return void known.add(key);
    const keys = new Set([key]);
    this.#flushed.set(from, keys);
    flushes.begin(link, { slot, agentType: "", key: "" }, undefined, () => {
      this.#flushed.delete(from);
      for (const one of keys) gates.open(one);
    });
  }
}
