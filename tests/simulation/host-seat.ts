import { Host } from "../../src/host/index.ts";
import type { SimulatedProcess } from "../../src/testing/index.ts";
import type { Listener } from "../../src/transport/index.ts";
import { aroundService } from "./around-streams.ts";
import type { Overflow } from "./ledger.ts";
import type { WorldParts } from "./world-parts.ts";

export const hostAddress = "host:7000";
export const hostCallTimeoutMs = 20_000;

/** Where the host runs: one process after another. */
export class HostSeat {
  /** All that ever ran here, for the checks at the end. */
  readonly processes: SimulatedProcess[] = [];
  readonly #parts: WorldParts;
  readonly #onDisturbed: () => void;
  #host: Host | undefined;
  #process: SimulatedProcess | undefined;
  readonly #hosts: Host[] = [];

  /** `onDisturbed`: the host goes, and every worker feels it. */
  constructor(parts: WorldParts, onDisturbed: () => void) {
    this.#parts = parts;
    this.#onDisturbed = onDisturbed;
  }

  get host(): Host | undefined {
    return this.#host;
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

  async start(): Promise<void> {
    const { simulation, ledger, plan } = this.#parts;
    const process = simulation.process(`host#${this.processes.length + 1}`);
    this.processes.push(process);
    const { clock, makeId } = process;
    const dice = simulation.dice.fork(process.name);
    const options = { clock, makeId, random: () => dice.next(), callTimeoutMs: hostCallTimeoutMs, ...plan.hostQueue };
    this.#process = process;
    this.#host = new Host({ listener: this.#listener(), address: hostAddress }, options);
    this.#hosts.push(this.#host);
    await ledger.follow(`${process.name} start`, process, this.#host.start());
    ledger.recover("host");
  }

  /** As by SIGKILL: nobody says goodbye, and the address is free. */
  async kill(): Promise<void> {
    const { simulation } = this.#parts;
    this.#disturb();
    this.#host = undefined;
    this.#process?.kill();
    for (const line of simulation.lines) line.cut();
    await this.#stopListening();
  }

  async stop(graceMs: number): Promise<void> {
    const { ledger } = this.#parts;
    const host = this.#host;
    if (host === undefined) return;
    this.#disturb();
    this.#host = undefined;
    await ledger.follow(`${this.#process?.name} stop`, this.#process, host.stop({ graceMs }));
  }

  #disturb(): void {
    this.#parts.ledger.disturb("host");
    this.#onDisturbed();
  }

  #stopListening: () => Promise<void> = async () => undefined;

  #listener(): Listener {
    const { simulation, plant } = this.#parts;
    return {
      listen: async (address, services) => {
        const atHost = plant?.atHost;
        const served = atHost === undefined ? services : services.map((one) => aroundService(one, atHost));
        const listening = await simulation.listener.listen(address, served);
        this.#stopListening = () => listening.close(0);
        return listening;
      },
    };
  }
}
