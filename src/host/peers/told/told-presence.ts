import type { RarePeerFrame, WireSubscription, WorkerLoad } from "../../../protocol/internal.ts";
import type { MemoryAccount } from "../../../transport/internal.ts";
import type { BatchRunner } from "../../batch-runner.ts";
import { topicOf } from "../../registry/name-checks.ts";
import type { Peer } from "../../sessions/peer.ts";
import { ToldLoads } from "./told-loads.ts";

export type Pattern = NonNullable<WireSubscription["pattern"]>;

/** A host that is told who and what is here. */
export interface ToldHost {
  readonly isOpen: boolean;
  tell(frame: RarePeerFrame): void;
}

export interface ToldPresenceParts {
  readonly batches: BatchRunner;
  readonly sessionNumber: (channel: Peer) => number;
  /** Whether the worker gets no new agents of shared types. */
  readonly isDraining: (channel: Peer) => boolean;
  readonly loadOf: (channel: Peer) => WorkerLoad;
  /** Holds the patterns. */
  readonly account: MemoryAccount;
}

/** About what a pattern takes in three tables, beside its names. */
const patternBytes = 400;

/**
 * The workers and subscriptions of this host, for other hosts. Each is told of all when its link opens, in batches, and of each change after
 * that. It may hear of one twice, and that one has gone of which it has not heard.
 */
export class ToldPresence {
  readonly #parts: ToldPresenceParts;
  readonly #hosts = new Set<ToldHost>();
  readonly #slots = new Map<Peer, number>();
  readonly #channels = new Map<number, Peer>();
  /** The patterns that others are told, by a text of each. */
  readonly #patterns = new Map<string, Pattern>();
  readonly #loads: ToldLoads;
  #isLooking = false;
  /** The patterns of live subscriptions, and how many workers that move have each. */
  readonly #live = new Set<string>();
  readonly #kept = new Map<string, number>();
  /** How many channels each worker has. */
  readonly #workers = new Map<string, number>();
  #lastSlot = 0;

  constructor(parts: ToldPresenceParts) {
    this.#parts = parts;
    this.#loads = new ToldLoads(parts.loadOf);
  }

  /** The data channel that a slot names; undefined: it has ended. */
  channelAt(slot: number): Peer | undefined {
    return this.#channels.get(slot);
  }

  /** Whether a worker has a channel here that others may use. */
  hasWorker(workerId: string): boolean {
    return this.#workers.has(workerId);
  }

  /** Tells a host all that is here, and `onDone` when it has been told. */
  greet(host: ToldHost, onDone: () => void): void {
    this.#hosts.add(host);
    // Both tables may change meanwhile: their iterators pass over what has gone.
    this.#parts.batches.add(host, this.#greetings(host, onDone));
  }

  forget(host: ToldHost): void {
    this.#hosts.delete(host);
  }

  workerOpened(channel: Peer): void {
    this.#lastSlot += 1;
    this.#slots.set(channel, this.#lastSlot);
    this.#channels.set(this.#lastSlot, channel);
    this.#workers.set(channel.worker.id, (this.#workers.get(channel.worker.id) ?? 0) + 1);
    this.#tell(this.#hereOf(channel, this.#lastSlot));
  }

  /** It takes new agents no more. */
  workerChanged(channel: Peer): void {
    const slot = this.#slots.get(channel);
    if (slot !== undefined) this.#tell(this.#hereOf(channel, slot));
  }

  workerEnded(channel: Peer): void {
    const slot = this.#slots.get(channel);
    if (slot === undefined) return;
    this.#slots.delete(channel);
    this.#channels.delete(slot);
    this.#loads.forget(slot);
    const count = this.#workers.get(channel.worker.id) ?? 0;
    if (count > 1) this.#workers.set(channel.worker.id, count - 1);
    else this.#workers.delete(channel.worker.id);
    this.#tell({ kind: "away", slot });
  }

  // protocol.md §12.8
  /** Tells the loads of the workers that have changed. Called each second. */
  tellLoads(): void {
    if (this.#hosts.size === 0 || this.#isLooking) return;
    this.#isLooking = true;
    this.#parts.batches.add(this.#loads, this.#lookAtLoads());
  }

  /** The first subscription with this pattern has come, or the last one has gone. */
  patternChanged(pattern: Pattern, begins: boolean): void {
    const text = patternText(pattern);
    if (begins) this.#live.add(text);
    else this.#live.delete(text);
    this.#patternChanged(text, pattern);
  }

  /** Tells a pattern on, as long as a worker that has it moves. */
  keep(pattern: Pattern): void {
    const text = patternText(pattern);
    this.#kept.set(text, (this.#kept.get(text) ?? 0) + 1);
    this.#patternChanged(text, pattern);
  }

  drop(pattern: Pattern): void {
    const text = patternText(pattern);
    const count = this.#kept.get(text) ?? 0;
    if (count > 1) this.#kept.set(text, count - 1);
    else this.#kept.delete(text);
    this.#patternChanged(text, pattern);
  }

  #patternChanged(text: string, pattern: Pattern): void {
    const begins = this.#live.has(text) || this.#kept.has(text);
    if (this.#patterns.has(text) === begins) return;
    const bytes = patternBytes + 4 * text.length;
    if (begins) {
      this.#patterns.set(text, pattern);
      this.#parts.account.add(bytes);
    } else {
      this.#patterns.delete(text);
      this.#parts.account.release(bytes);
    }
    this.#tell({ kind: "interest", begins, pattern });
  }

  #tell(frame: RarePeerFrame): void {
    for (const host of this.#hosts) host.tell(frame);
  }

  *#lookAtLoads(): Iterable<() => void> {
    yield* this.#loads.look(this.#channels, (load) => this.#tell(load));
    this.#isLooking = false;
  }

  *#greetings(host: ToldHost, onDone: () => void): Iterable<() => void> {
    for (const [channel, slot] of this.#slots) {
      if (!host.isOpen) return;
      yield () => host.tell(this.#hereOf(channel, slot));
    }
    for (const load of this.#loads.all()) yield () => host.tell(load);
    for (const pattern of this.#patterns.values()) {
      if (!host.isOpen) return;
      yield () => host.tell({ kind: "interest", begins: true, pattern });
    }
    yield onDone;
  }

  #hereOf(channel: Peer, slot: number): RarePeerFrame {
    const { id: clientId, worker, traits } = channel;
    const session = this.#parts.sessionNumber(channel);
    const { isAnnounced, capabilities } = traits;
    return {
      kind: "here",
      slot,
      session,
      clientId,
      isAnnounced,
      worker,
      capabilities,
      isDraining: this.#parts.isDraining(channel),
    };
  }
}

/** Two patterns that are the same have the same text. */
export function patternText(pattern: Pattern): string {
  return `${pattern.kind === "type" ? "=" : "*"}${pattern.agentType} ${topicOf(pattern)}`;
}
