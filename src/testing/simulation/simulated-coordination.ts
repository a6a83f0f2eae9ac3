import {
  assertAnnouncement,
  assertStoreKey,
  assertStorePrefix,
  assertStoreWrite,
  type CoordinationStore,
  type ReadOptions,
  type ReadOutcome,
  type StoreEntry,
  type StoreWatcher,
  type WriteOutcome,
} from "../../cluster/index.ts";
import {
  assertArgument,
  assertObject,
  assertOptions,
  type Clock,
  callable,
  clock as clockKind,
  number,
  optionShape,
  withMethods,
} from "../../core/internal.ts";
import type { Dice } from "./dice.ts";
import { type CoordinationWrite, SimulatedCoordinationTable } from "./simulated-coordination-table.ts";
import { SimulatedWatch } from "./simulated-coordination-watch.ts";

/** Options of a `SimulatedCoordination`. */
export interface SimulatedCoordinationOptions {
  readonly clock: Clock;
  readonly dice: Dice;
  /** Returns the milliseconds that the next request, answer or watched change takes. Default: mostly 0 to 3, rarely up to 3 000. */
  readonly latencyMs?: ((dice: Dice) => number) | undefined;
  /** The part of answers that are lost, from 0 to 1. Default: 0.01. */
  readonly lostAnswers?: number | undefined;
  /** Milliseconds after which a client has waited long enough. Default: 2 000. */
  readonly timeLimitMs?: number | undefined;
  /** Milliseconds after which a claim expires. Default: 24 h. */
  readonly claimLifeMs?: number | undefined;
  /** Called for each write that happens, at that moment, whether its client hears of it or not. */
  readonly onWritten?: ((write: CoordinationWrite) => void) | undefined;
}

const shape = optionShape<SimulatedCoordinationOptions>({
  ...{ clock: clockKind, dice: withMethods("a Dice", "next", "between"), latencyMs: callable, onWritten: callable },
  ...{ lostAnswers: number({ from: 0, to: 1 }), timeLimitMs: number({ from: 1 }), claimLifeMs: number({ from: 1 }) },
});

/**
 * A coordination store in simulated time. Each write happens at one moment between request and answer. Requests and answers overtake each
 * other; answers are lost, or come after the client's time limit; watches lag. Tests can cut clients off, take the store away from all,
 * and let it forget its last writes.
 *
 * @example
 * ```ts
 * const coordination = new SimulatedCoordination({ clock: simulation.clock, dice: simulation.dice.fork("coordination") });
 * const store = coordination.client("host 1");
 * coordination.cutOff("host 1");
 * ```
 */
export class SimulatedCoordination {
  readonly #options: SimulatedCoordinationOptions;
  readonly #table: SimulatedCoordinationTable;
  readonly #clients = new Set<SimulatedClient>();
  readonly #cutOff = new Set<string>();
  /** Requests that reach the store when their client is connected again. */
  #stuck: { readonly client: string; readonly arrive: () => void }[] = [];
  #isAway = false;

  /** Throws `invalid-argument` for unknown options and for values of a wrong kind. */
  constructor(options: SimulatedCoordinationOptions) {
    assertObject(options, "The options of a SimulatedCoordination, { clock, dice },");
    assertOptions(options, shape, "SimulatedCoordination");
    assertArgument(options.clock, "The clock of a simulated coordination store", clockKind);
    this.#options = options;
    this.#table = new SimulatedCoordinationTable(() => options.clock.now(), options.claimLifeMs);
  }

  /** Creates a client. `process`: the clock of its process, which may be paused or killed. Default: the simulation's. */
  client(name: string, process: Clock = this.#options.clock): CoordinationStore {
    const client = new SimulatedClient(name, process, this.#options, {
      table: this.#table,
      clients: this.#clients,
      send: (arrive) => this.#send(name, arrive),
      isReached: () => this.#isReached(name),
    });
    this.#clients.add(client);
    return client;
  }

  /** The entries, without delays and faults. */
  entries(prefix = ""): StoreEntry[] {
    return this.#table.under(prefix);
  }

  /** Cuts the clients of this name off, until `connect`. Some of what they ask meanwhile arrives after that. */
  cutOff(name: string): void {
    this.#cutOff.add(name);
    for (const client of this.#clients) if (client.name === name) client.lose();
  }

  connect(name: string): void {
    this.#cutOff.delete(name);
    this.#reconnect();
  }

  /** Takes the store away from all clients, until `comeBack`. */
  goAway(): void {
    this.#isAway = true;
    for (const client of this.#clients) client.lose();
  }

  comeBack(): void {
    this.#isAway = false;
    this.#reconnect();
  }

  /** Undoes the last writes, as a power failure does to a store that had not written them to its disk. All watches begin anew. */
  forget(count: number): void {
    this.#table.forget(count);
    this.resetWatches();
  }

  /** Lets all watches begin anew. */
  resetWatches(): void {
    for (const client of this.#clients) if (this.#isReached(client.name)) client.reset();
  }

  #isReached(name: string): boolean {
    return !this.#isAway && !this.#cutOff.has(name);
  }

  #send(client: string, arrive: () => void): void {
    const { clock, dice } = this.#options;
    clock.setTimer(latencyOf(this.#options), () => {
      if (this.#isReached(client)) arrive();
      else if (dice.chance(0.3)) this.#stuck.push({ client, arrive });
    });
  }

  #reconnect(): void {
    const stuck = this.#stuck;
    this.#stuck = stuck.filter(({ client }) => !this.#isReached(client));
    for (const { client, arrive } of stuck) if (this.#isReached(client)) this.#send(client, arrive);
    for (const client of this.#clients) if (client.isLost && this.#isReached(client.name)) client.reset();
  }
}

interface Shared {
  readonly table: SimulatedCoordinationTable;
  readonly clients: Set<SimulatedClient>;
  readonly send: (arrive: () => void) => void;
  readonly isReached: () => boolean;
}

class SimulatedClient implements CoordinationStore {
  readonly name: string;
  readonly #process: Clock;
  readonly #options: SimulatedCoordinationOptions;
  readonly #shared: Shared;
  readonly #watches = new Set<SimulatedWatch>();
  readonly #listeners = new Set<(bytes: Uint8Array) => void>();
  #isLost = false;
  #isClosed = false;

  constructor(name: string, process: Clock, options: SimulatedCoordinationOptions, shared: Shared) {
    this.name = name;
    this.#process = process;
    this.#options = options;
    this.#shared = shared;
    this.#isLost = !shared.isReached();
  }

  /** Whether its watches were lost and have not begun anew. */
  get isLost(): boolean {
    return this.#isLost;
  }

  async write(key: string, value: Uint8Array, expected: number): Promise<WriteOutcome> {
    assertStoreWrite(key, value, expected);
    const copy = new Uint8Array(value);
    return this.#ask<WriteOutcome>({ at: "unknown" }, () => {
      const { table, clients } = this.#shared;
      const before = table.read(key);
      const outcome = table.write(key, copy, expected);
      if (outcome.at === "written") {
        const entry = { key, value: copy, revision: outcome.revision };
        this.#options.onWritten?.({ entry, before, client: this.name });
        for (const client of clients) client.tell(entry);
      }
      return outcome;
    });
  }

  async read(key: string, _options?: ReadOptions): Promise<ReadOutcome> {
    assertStoreKey(key);
    return this.#ask<ReadOutcome>("unknown", () => copyOf(this.#shared.table.read(key)));
  }

  watch(prefix: string, watcher: StoreWatcher): () => void {
    assertStorePrefix(prefix);
    if (this.#isClosed) return () => undefined;
    const { clock } = this.#options;
    const watch = new SimulatedWatch({
      ...{ prefix, watcher, clock, process: this.#process, lagMs: () => latencyOf(this.#options) },
    });
    this.#watches.add(watch);
    if (!this.#isLost) watch.begin(this.#shared.table.under(prefix), false);
    return () => {
      watch.end();
      this.#watches.delete(watch);
    };
  }

  async purge(key: string, upTo?: number): Promise<void> {
    assertStoreKey(key);
    await this.#ask<undefined>(undefined, () => {
      this.#shared.table.purge(key, upTo);
      return undefined;
    });
  }

  announce(bytes: Uint8Array): void {
    assertAnnouncement(bytes);
    if (this.#isClosed || this.#isLost) return;
    for (const client of this.#shared.clients) if (client !== this) client.hear(new Uint8Array(bytes));
  }

  onAnnouncement(listener: (bytes: Uint8Array) => void): () => void {
    const own = (bytes: Uint8Array) => listener(bytes);
    this.#listeners.add(own);
    return () => this.#listeners.delete(own);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const watch of this.#watches) watch.end();
    this.#watches.clear();
    this.#listeners.clear();
    this.#shared.clients.delete(this);
  }

  lose(): void {
    this.#isLost = true;
    for (const watch of this.#watches) watch.lose();
  }

  reset(): void {
    this.#isLost = false;
    for (const watch of this.#watches) watch.begin(this.#shared.table.under(watch.prefix), true);
  }

  tell(entry: StoreEntry): void {
    if (this.#isLost) return;
    for (const watch of this.#watches) if (entry.key.startsWith(watch.prefix)) watch.add({ at: "entry", entry });
  }

  hear(bytes: Uint8Array): void {
    const { clock, dice, lostAnswers = usualLostAnswers } = this.#options;
    if (this.#isLost || dice.chance(lostAnswers)) return;
    clock.setTimer(latencyOf(this.#options), () => {
      this.#process.setTimer(0, () => {
        for (const listener of [...this.#listeners]) listener(bytes.slice());
      });
    });
  }

  #ask<T>(unknown: T, run: () => T): Promise<T> {
    if (this.#isClosed) return Promise.resolve(unknown);
    const { clock, dice, lostAnswers = usualLostAnswers, timeLimitMs = usualTimeLimitMs } = this.#options;
    return new Promise((resolve) => {
      const limit = this.#process.setTimer(timeLimitMs, () => resolve(unknown));
      this.#shared.send(() => {
        const outcome = run();
        if (dice.chance(lostAnswers)) return;
        clock.setTimer(latencyOf(this.#options), () => {
          if (!this.#shared.isReached()) return;
          this.#process.setTimer(0, () => {
            limit.cancel();
            resolve(this.#isClosed ? unknown : outcome);
          });
        });
      });
    });
  }
}

const usualLostAnswers = 0.01;
const usualTimeLimitMs = 2_000;

function latencyOf({ dice, latencyMs = usualLatencyMs }: SimulatedCoordinationOptions): number {
  return latencyMs(dice);
}

function usualLatencyMs(dice: Dice): number {
  const draw = dice.next();
  if (draw < 0.92) return dice.between(0, 3);
  return draw < 0.995 ? dice.between(4, 80) : dice.between(80, 3_000);
}

function copyOf(entry: StoreEntry | undefined): StoreEntry | undefined {
  return entry === undefined ? undefined : { ...entry, value: entry.value.slice() };
}
