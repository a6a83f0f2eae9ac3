import { cronPatterns } from "../../src/cron/index.ts";
import { type DrainOutcome, Host } from "../../src/host/index.ts";
import type { SimulatedProcess, SimulatedStateStore } from "../../src/testing/index.ts";
import type { Listener } from "../../src/transport/index.ts";
import { aroundService, lateGate } from "./around-streams.ts";
import { observed } from "./kept/store-tap.ts";
import { lateService } from "./late-dialer.ts";
import type { Overflow } from "./ledger.ts";
import type { WorldParts } from "./world-parts.ts";

/** Hosts take turns at these: a second one opens the store while the first one still listens. */
export const hostAddresses = ["host:7000", "host:7001"] as const;
export const hostCallTimeoutMs = 20_000;

const startAgainMs = 200;

/** A host that runs. */
interface Occupant {
  readonly host: Host;
  readonly process: SimulatedProcess;
  stopListening: () => Promise<void>;
  hasStarted: boolean;
}

/** Where the host runs: one process after another. */
export class HostSeat {
  /** All that ever ran here, for the checks at the end. */
  readonly processes: SimulatedProcess[] = [];
  readonly #parts: WorldParts;
  readonly #store: SimulatedStateStore | undefined;
  readonly #onDisturbed: () => void;
  #present: Occupant | undefined;
  /** One that goes on although another one has the store. */
  #leaving: Occupant | undefined;
  /** Whether a host is to run. */
  #isWanted = false;
  #address: (typeof hostAddresses)[number] = hostAddresses[0];
  readonly #hosts: Host[] = [];
  #lateMs = 0;

  /** `store`: all hosts share it. `onDisturbed`: the host goes, and every worker feels it. */
  constructor(parts: WorldParts, store: SimulatedStateStore | undefined, onDisturbed: () => void) {
    this.#parts = parts;
    this.#store = store;
    this.#onDisturbed = onDisturbed;
  }

  get host(): Host | undefined {
    return this.#present?.host;
  }

  get process(): SimulatedProcess | undefined {
    return this.#present?.process;
  }

  get address(): string {
    return this.#address;
  }

  /** What all hosts so far have refused or dropped since a queue was full. */
  overflow(): Overflow {
    const all = this.#hosts.map((host) => host.counters());
    const sum = (name: keyof Overflow) => all.reduce((total, counters) => total + counters[name], 0);
    return {
      droppedEvents: sum("droppedEvents"),
      overloadedCalls: sum("overloadedCalls"),
      overflowedChannels: sum("overflowedChannels"),
    };
  }

  /** Starts one, and another one while the store can't be opened. */
  async start(): Promise<void> {
    this.#isWanted = true;
    while (this.#isWanted && this.#present === undefined) {
      const occupant = this.#make();
      const { host, process } = occupant;
      this.#present = occupant;
      try {
        await Promise.race([this.#parts.ledger.follow(`${process.name} start`, process, host.start()), process.killed]);
      } catch (error) {
        if (this.#store === undefined) throw error;
        if (this.#present === occupant) this.#present = undefined;
        await host.stop({ graceMs: 0 });
        await this.#sleep(startAgainMs);
        continue;
      }
      occupant.hasStarted = true;
      if (this.#present === occupant && this.#leaving === undefined) this.#parts.ledger.recover("host");
      return;
    }
  }

  /** Hears of lost connections so many milliseconds late from now on; 0: at once. */
  hearLate(lateMs: number): void {
    this.#lateMs = lateMs;
  }

  /** Has an operator drain the worker that serves a type. Undefined: no host or no such worker is there, or the host is killed meanwhile. */
  async drainWorker(servedType: string, graceMs: number): Promise<DrainOutcome | undefined> {
    const { host, process } = this.#present ?? {};
    if (host === undefined || process === undefined || !this.#isWanted) return undefined;
    const drain = async () => {
      const { workers } = await host.inspect();
      const worker = workers.find(({ types }) => types.includes(servedType));
      return worker === undefined ? undefined : host.drainWorker(worker.workerId, { graceMs });
    };
    const drained = this.#parts.ledger.follow(`${process.name} drain of ${servedType}`, process, drain());
    return Promise.race([drained, process.killed.then(() => undefined)]);
  }

  /** As by SIGKILL: nobody says goodbye, and the address is free. */
  async kill(): Promise<void> {
    const { simulation } = this.#parts;
    this.#disturb();
    this.#isWanted = false;
    const occupant = this.#present;
    this.#present = undefined;
    occupant?.process.kill();
    for (const line of simulation.lines) line.cut();
    await occupant?.stopListening();
  }

  async stop(graceMs: number): Promise<void> {
    const { ledger } = this.#parts;
    const occupant = this.#present;
    if (occupant === undefined) return;
    this.#disturb();
    this.#isWanted = false;
    this.#present = undefined;
    await ledger.follow(`${occupant.process.name} stop`, occupant.process, occupant.host.stop({ graceMs }));
  }

  /**
   * Starts the next host at the other address, which takes the store over; the one before goes on until this ends it. One that still starts
   * would take the store back, and is not replaced.
   */
  async replace(ends: "stop" | "kill", overlap: () => Promise<void>): Promise<void> {
    const before = this.#present;
    if (before === undefined || !before.hasStarted || !this.#isWanted || this.#leaving !== undefined) return;
    this.#leaving = before;
    this.#disturb();
    this.#present = undefined;
    this.#address = this.#address === hostAddresses[0] ? hostAddresses[1] : hostAddresses[0];
    const started = this.start();
    await overlap();
    if (ends === "kill") {
      before.process.kill();
      await before.stopListening();
    } else {
      const { ledger } = this.#parts;
      await ledger.follow(`${before.process.name} stop`, before.process, before.host.stop({ graceMs: 500 }));
    }
    this.#leaving = undefined;
    this.#onDisturbed();
    await started;
    if (this.#present !== undefined) this.#parts.ledger.recover("host");
  }

  #make(): Occupant {
    const { simulation, plan } = this.#parts;
    const process = simulation.process(`host#${this.processes.length + 1}`);
    this.processes.push(process);
    const { clock, makeId } = process;
    const dice = simulation.dice.fork(process.name);
    let stopListening = async () => {};
    const listener = this.#listener((listening) => {
      stopListening = () => listening.close(0);
    });
    const kept = this.#store && {
      stateStore: observed(this.#store.reopen(process), this.#parts.plant),
      takesOver: true,
      cron: cronPatterns,
      retry: { attempts: 50, initialDelayMs: 200, maxDelayMs: 2_000 },
    };
    const options = {
      clock,
      makeId,
      random: () => dice.next(),
      callTimeoutMs: hostCallTimeoutMs,
      ...plan.hostQueue,
      ...kept,
    };
    const host = new Host({ listener, address: this.#address }, options);
    this.#hosts.push(host);
    return { host, process, stopListening: () => stopListening(), hasStarted: false };
  }

  #disturb(): void {
    this.#parts.ledger.disturb("host");
    this.#onDisturbed();
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#parts.simulation.clock.setTimer(ms, resolve));
  }

  #listener(onListening: (listening: { close(graceMs: number): Promise<void> }) => void): Listener {
    const { simulation, plant, ledger } = this.#parts;
    return {
      listen: async (address, services) => {
        const { atHost, channelsLateMs } = plant ?? {};
        const late = services.map((one) => {
          const heard = aroundService(one, () => ledger.hearing.channel());
          const told = lateService(heard, simulation.clock, () => this.#lateMs);
          if (channelsLateMs === undefined) return told;
          return aroundService(told, () => lateGate(simulation.clock, channelsLateMs));
        });
        const served = atHost === undefined ? late : late.map((one) => aroundService(one, atHost));
        const listening = await simulation.listener.listen(address, served);
        onListening(listening);
        return listening;
      },
    };
  }
}
