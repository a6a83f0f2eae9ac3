import { hostIn } from "../../../src/cluster/records/records.ts";
import { takingHosts } from "../../../src/host/membership/host-addresses.ts";
import { WorkerBalance } from "../../../src/host/membership/worker-balance.ts";
import type { Peer } from "../../../src/host/sessions/peer.ts";
import type { CoordinationWrite } from "../../../src/testing/index.ts";
import type { ClusterWorld } from "./cluster-world.ts";
import type { Connection, HostSeat } from "./host-seat.ts";

/** Hosts learn of a change within the first time: watches lag by 3 s at most, and hosts look each second. They ask no worker before the second. */
const learnMs = 4_500;
const settledMs = 9_500;

/** What the hosts of a world do to balance their workers, and whether they may. */
export class Balances {
  readonly #world: ClusterWorld;
  readonly #isCalm: boolean;
  /** How often each worker was asked to go. */
  readonly #asked = new Map<string, number>();
  #changes = 0;
  #changedMs = Number.NEGATIVE_INFINITY;
  /** For each host that takes workers: when it began to, and the change before that. */
  readonly #begins = new Map<string, { readonly atMs: number; readonly earlierMs: number }>();
  #isQuiet = false;

  constructor(world: ClusterWorld, isCalm: boolean) {
    this.#world = world;
    this.#isCalm = isCalm;
  }

  /**
   * Notes that a host begins or ends to take workers, by its record. Others may never learn of a host that takes workers for a moment only:
   * they count from the change before it.
   */
  written({ entry, before }: CoordinationWrite): void {
    const isUp = hostIn(entry)?.state === "up";
    if (isUp === (before !== undefined && hostIn(before)?.state === "up")) return;
    const nowMs = this.#world.clock.now();
    const begin = this.#begins.get(entry.key);
    this.#changes += 1;
    if (isUp) this.#begins.set(entry.key, { atMs: nowMs, earlierMs: this.#changedMs });
    else this.#begins.delete(entry.key);
    const wasBrief = !isUp && begin !== undefined && nowMs - begin.atMs < learnMs && this.#changedMs === begin.atMs;
    this.#changedMs = wasBrief ? begin.earlierMs : nowMs;
  }

  /** From now on no worker has a reason to move. */
  quiet(): void {
    this.#isQuiet = true;
  }

  /** Notes that a host asks a worker to go. */
  note(host: HostSeat, { worker }: Connection): void {
    const { ledger, clock } = this.#world;
    const times = (this.#asked.get(worker.workerId) ?? 0) + 1;
    this.#asked.set(worker.workerId, times);
    ledger.figures.balanced += 1;
    ledger.line(() => `${host.name} asks ${worker.name} to go`);
    if (worker.kind === "stock") ledger.breach("balance", `${host.name} asks the stock worker ${worker.name} to go`);
    if (this.#isQuiet) ledger.breach("balance", `${host.name} asks ${worker.name} to go in a quiet world`);
    if (!this.#isCalm) return;
    const sinceMs = clock.now() - this.#changedMs;
    if (sinceMs > learnMs && sinceMs < settledMs)
      ledger.breach(
        "balance",
        `${host.name} asks ${worker.name} to go ${sinceMs.toFixed(0)} ms after hosts have changed`,
      );
    if (times > this.#changes)
      ledger.breach(
        "balance",
        `${worker.name} was asked ${times} times, and hosts have changed ${this.#changes} times`,
      );
  }

  /** No host has many more workers than the others. */
  checkEven(): void {
    if (!this.#isCalm) return;
    const { hosts, workers, ledger } = this.#world;
    const counts = hosts
      .filter(({ takesWorkers }) => takesWorkers)
      .map((host) => workers.filter((worker) => worker.isLive && worker.host === host).length);
    const mean = counts.reduce((sum, count) => sum + count, 0) / counts.length;
    if (Math.max(...counts) > 1.25 * mean + 1)
      ledger.breach("balance", `hosts have ${counts.join(", ")} workers in the end`);
  }
}

/** The balance of a host of the world. */
export function balanceOf(world: ClusterWorld, host: HostSeat, connections: ReadonlySet<Connection>): WorkerBalance {
  const dice = world.dice.fork(`balance of ${host.name}`);
  const peers = new WeakMap<Connection, Peer>();
  const ofPeer = new WeakMap<Peer, Connection>();
  const peerOf = (connection: Connection): Peer => {
    const { worker, channel } = connection;
    const peer = {
      get worker() {
        return { id: connection.session?.workerId ?? worker.workerId };
      },
      get isOpen() {
        return channel.isHostOpen;
      },
      traits: { capabilities: new Set(worker.kind === "stock" ? [] : ["lease"]) },
      // The balance reads nothing else of a channel.
    } as never;
    const known = peers.get(connection) ?? peer;
    peers.set(connection, known);
    ofPeer.set(known, connection);
    return known;
  };
  return new WorkerBalance({
    clock: host.clock,
    random: () => dice.next(),
    hosts: () => {
      const { member } = host;
      if (!member.isServing) return undefined;
      const all = takingHosts(member).map(({ hostId, workerAddress }) => ({
        ...{ hostId, workerAddress, workers: member.knownWorkers.countAt(hostId) },
      }));
      return { own: member.hostId, all };
    },
    joins: {
      get open() {
        const joined = [...connections].filter(({ session }) => session !== undefined);
        return joined.map((connection) => ({ channel: peerOf(connection), worker: connection.worker }));
      },
      isLeaving: (peer) => ofPeer.get(peer)?.isGoing === true,
    },
    isHere: (peer) => ofPeer.get(peer)?.session?.isOver === false,
    isDraining: () => false,
    loadOf: (peer) => ofPeer.get(peer)?.worker.turns ?? 0,
    ask: (peer, addresses) => {
      const connection = ofPeer.get(peer);
      if (connection === undefined) return;
      world.balances?.note(host, connection);
      connection.channel.toWorker({ at: "go", addresses });
    },
  });
}
