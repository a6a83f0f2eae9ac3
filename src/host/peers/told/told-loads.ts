import type { PeerLoad, WorkerLoad } from "../../../protocol/internal.ts";
import type { Peer } from "../../sessions/peer.ts";

type SlotLoad = PeerLoad["workers"][number];

/** Loads of one frame: a host may have thousands of workers. */
const loadsAtOnce = 1_000;

// protocol.md §12.8
/** The loads of this host's workers, as other hosts were told them. A load is told again when it has changed by more than a tenth. */
export class ToldLoads {
  readonly #loadOf: (channel: Peer) => WorkerLoad;
  readonly #told = new Map<number, SlotLoad>();

  constructor(loadOf: (channel: Peer) => WorkerLoad) {
    this.#loadOf = loadOf;
  }

  forget(slot: number): void {
    this.#told.delete(slot);
  }

  /** Takes the loads of these workers. Passes on, in lots, those that others must be told. */
  *look(
    channels: Iterable<readonly [slot: number, channel: Peer]>,
    tell: (load: PeerLoad) => void,
  ): Iterable<() => void> {
    let lot: SlotLoad[] = [];
    const pass = (): void => {
      if (lot.length > 0) tell({ kind: "load", workers: lot });
      lot = [];
    };
    for (const [slot, channel] of channels) {
      yield () => {
        const load = { slot, ...this.#loadOf(channel) };
        if (!hasChanged(this.#told.get(slot), load)) return;
        this.#told.set(slot, load);
        if (lot.push(load) >= loadsAtOnce) pass();
      };
    }
    yield pass;
  }

  /** All that was told, in lots: for a host that comes. */
  *all(): Iterable<PeerLoad> {
    const loads = [...this.#told.values()];
    for (let at = 0; at < loads.length; at += loadsAtOnce)
      yield { kind: "load", workers: loads.slice(at, at + loadsAtOnce) };
  }
}

const idle: WorkerLoad = { agents: 0, calls: 0 };

function hasChanged(told: WorkerLoad = idle, now: WorkerLoad): boolean {
  const isFar = (before: number, after: number): boolean => 10 * Math.abs(after - before) > before;
  return isFar(told.agents, now.agents) || isFar(told.calls, now.calls);
}
