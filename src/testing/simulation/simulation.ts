import type { MakeId } from "../../core/internal.ts";
import {
  createListenerCounters,
  type Dialer,
  type Listener,
  type Listening,
  type MemoryNetworkOptions,
} from "../../transport/internal.ts";
import { Dice } from "./dice.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { SimulatedLine } from "./simulated-line.ts";
import { SimulatedProcess } from "./simulated-process.ts";

export interface SimulationOptions extends Omit<MemoryNetworkOptions, "schedule" | "clock"> {
  readonly seed: number;
  /** Milliseconds that the next thing on a line takes. Default: mostly 0 to 3, rarely up to 2 000. */
  readonly latencyMs?: (dice: Dice) => number;
  /** Told before each thing that happens on a line, with the line's name. */
  readonly onTask?: (line: string) => void;
}

/**
 * A world whose time and chance follow from a seed: give hosts and workers its `clock`, `makeId`, `listener` and `dialer`,
 * and the same seed plays the same story. Time passes inside `run` and `step` only.
 */
export class Simulation {
  readonly dice: Dice;
  readonly clock: SimulatedClock;
  readonly makeId: MakeId;
  /** Where hosts listen: every line reaches them. */
  readonly listener: Listener = { listen: (address, services) => this.#listen(address, services) };
  readonly #options: SimulationOptions;
  #posted = 0;
  #latest = 0;
  #overtaken = 0;
  readonly #lines = new Map<string, SimulatedLine>();

  constructor(options: SimulationOptions) {
    this.#options = options;
    this.dice = new Dice(options.seed);
    this.clock = new SimulatedClock(this.dice.fork("clock"));
    const ids = this.dice.fork("ids");
    this.makeId = () => ids.id();
  }

  /** The line of a party, made at first use; ask for it before the hosts it is to reach start to listen. */
  line(name: string): SimulatedLine {
    const known = this.#lines.get(name);
    if (known !== undefined) return known;
    const { seed: _, onTask, ...options } = this.#options;
    const line = new SimulatedLine({
      ...options,
      clock: this.clock,
      dice: this.dice.fork(`line ${name}`),
      onPost: () => {
        this.#posted += 1;
        const number = this.#posted;
        return () => {
          if (number < this.#latest) this.#overtaken += 1;
          else this.#latest = number;
          onTask?.(name);
        };
      },
    });
    this.#lines.set(name, line);
    return line;
  }

  /** Deliveries, openings and ends that happened after others which had been begun later. */
  get overtaken(): number {
    return this.#overtaken;
  }

  /** All lines there are. */
  get lines(): readonly SimulatedLine[] {
    return [...this.#lines.values()];
  }

  /** A process that can be killed, on the line of that name; its timers are counted apart. */
  process(name: string, line: string = name): SimulatedProcess {
    return new SimulatedProcess({ name, clock: this.clock, makeId: this.makeId, dialer: this.dialer(line) });
  }

  /** What a worker is given as its dialer: its own line to the hosts. */
  dialer(line: string): Dialer {
    return this.line(line).network;
  }

  /** Lets everything happen that needs no time. */
  settle(): Promise<void> {
    return settled();
  }

  /** Runs the next timer or delivery, and what follows from it at once; false: there is none. */
  async step(): Promise<boolean> {
    const hasRun = this.clock.runNext();
    if (hasRun) await settled();
    return hasRun;
  }

  /** Lets time pass until the promise has settled. Rejects when nothing is left that could settle it. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const mark = () => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await settled();
    while (!isSettled) {
      if (!(await this.step()) && !isSettled)
        throw new Error("Nothing is left to happen, and the promise still waits.");
    }
    return promise;
  }

  async #listen(...[address, services]: Parameters<Listener["listen"]>): Promise<Listening> {
    const listenings: Listening[] = [];
    for (const { network } of this.#lines.values()) listenings.push(await network.listen(address, services));
    return {
      address,
      // Over memory nothing can go wrong beneath the calls.
      counters: createListenerCounters,
      closed: Promise.all(listenings.map(({ closed }) => closed)).then(() => undefined),
      close: async (graceMs) => {
        await Promise.all(listenings.map((listening) => listening.close(graceMs)));
      },
    };
  }
}

/** Promises settle in microtasks, all of which run before the next turn of the event loop. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
