import {
  assertArgument,
  assertObject,
  assertOptions,
  callable,
  type MakeId,
  nextTurn,
  number,
  optionShape,
} from "../../core/internal.ts";
import {
  createListenerCounters,
  type Dialer,
  type Listener,
  type Listening,
  type MemoryNetworkOptions,
  memoryNetworkKinds,
} from "../../transport/internal.ts";
import { Dice } from "./dice.ts";
import { SimulatedClock } from "./simulated-clock.ts";
import { SimulatedLine } from "./simulated-line.ts";
import { SimulatedProcess } from "./simulated-process.ts";

/** Options of a `Simulation`; those of its memory networks are among them. */
export interface SimulationOptions extends Omit<MemoryNetworkOptions, "schedule" | "clock"> {
  readonly seed: number;
  /** Returns the milliseconds that the next task on a line takes. Default: mostly 0 to 3, rarely up to 2 000. */
  readonly latencyMs?: ((dice: Dice) => number) | undefined;
  /** Called before each task on a line, with the name of the line. */
  readonly onTask?: ((line: string) => void) | undefined;
}

const seedKind = number({ from: Number.NEGATIVE_INFINITY });
const shape = optionShape<SimulationOptions>({
  ...memoryNetworkKinds,
  seed: seedKind,
  latencyMs: callable,
  onTask: callable,
});

/**
 * A simulated system whose time and randomness follow from a seed. Give hosts and workers its `clock`, `makeId`,
 * `listener` and `dialer`: the same seed then gives the same run. Time passes only inside `run` and `step`.
 *
 * @example
 * ```ts
 * const simulation = new Simulation({ seed: 62 });
 * const host = new Host({ listener: simulation.listener, address: "127.0.0.1:50051" }, { clock: simulation.clock });
 * await simulation.run(host.start());
 * ```
 */
export class Simulation {
  readonly dice: Dice;
  readonly clock: SimulatedClock;
  readonly makeId: MakeId;
  /** Listener for hosts; every line reaches them. */
  readonly listener: Listener = { listen: (address, services) => this.#listen(address, services) };
  readonly #options: SimulationOptions;
  #posted = 0;
  #latest = 0;
  #overtaken = 0;
  readonly #lines = new Map<string, SimulatedLine>();

  constructor(options: SimulationOptions) {
    assertObject(options, "The options of a Simulation, { seed },");
    assertOptions(options, shape, "Simulation");
    assertArgument(options.seed, "The seed of a simulation", seedKind);
    this.#options = options;
    this.dice = new Dice(options.seed);
    this.clock = new SimulatedClock(this.dice.fork("clock"));
    const ids = this.dice.fork("ids");
    this.makeId = () => ids.id();
  }

  /**
   * Returns the line of this name, created on first use. Request it before the hosts that it should reach start to
   * listen.
   */
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

  /** Number of tasks that happened after tasks that had started later. */
  get overtaken(): number {
    return this.#overtaken;
  }

  /** All lines. */
  get lines(): readonly SimulatedLine[] {
    return [...this.#lines.values()];
  }

  /** Creates a process that can be killed, on the line of this name. Its timers are counted separately. */
  process(name: string, line: string = name): SimulatedProcess {
    return new SimulatedProcess({ name, clock: this.clock, makeId: this.makeId, dialer: this.dialer(line) });
  }

  /** Returns the dialer of a worker: its own line to the hosts. */
  dialer(line: string): Dialer {
    return this.line(line).network;
  }

  /** Runs everything that needs no time. */
  settle(): Promise<void> {
    return settled();
  }

  /** Runs the next timer or delivery, and what follows immediately. Returns false if there is none. */
  async step(): Promise<boolean> {
    const hasRun = this.clock.runNext();
    if (hasRun) await settled();
    return hasRun;
  }

  /** Lets time pass until the promise settles. Rejects if nothing is left that could settle it. */
  async run<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const mark = () => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await settled();
    while (!isSettled) {
      if (!(await this.step()) && !isSettled)
        throw new Error("No timer or delivery is left, and the promise has not settled.");
    }
    return promise;
  }

  async #listen(...[address, services]: Parameters<Listener["listen"]>): Promise<Listening> {
    const listenings: Listening[] = [];
    for (const { network } of this.#lines.values()) listenings.push(await network.listen(address, services));
    return {
      address,
      // Below the calls, a memory network has no errors to count.
      counters: createListenerCounters,
      closed: Promise.all(listenings.map(({ closed }) => closed)).then(() => undefined),
      close: async (graceMs) => {
        await Promise.all(listenings.map((listening) => listening.close(graceMs)));
      },
    };
  }
}

/** Promises settle in microtasks, which all run before the next turn of the event loop. */
function settled(): Promise<void> {
  return nextTurn();
}
