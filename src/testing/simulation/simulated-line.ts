import {
  assertArgument,
  assertObject,
  assertOptions,
  type Clock,
  callable,
  clock as clockKind,
  optionShape,
  type Timer,
  withMethods,
} from "../../core/internal.ts";
import {
  createMemoryNetwork,
  type MemoryNetwork,
  type MemoryNetworkOptions,
  memoryNetworkKinds,
} from "../../transport/internal.ts";
import type { Dice } from "./dice.ts";

/** Options of a `SimulatedLine`; those of its memory network are among them. */
export interface SimulatedLineOptions extends Omit<MemoryNetworkOptions, "schedule" | "clock"> {
  readonly clock: Clock;
  readonly dice: Dice;
  /** Returns the milliseconds that the next task on the line takes. Default: mostly 0 to 3, rarely up to 2 000. */
  readonly latencyMs?: ((dice: Dice) => number) | undefined;
  /** Called when a task starts on the line; its result is called before the task runs. */
  readonly onPost?: (() => () => void) | undefined;
}

const diceKind = withMethods("a Dice", "next", "fork");
const shape = optionShape<SimulatedLineOptions>({
  ...memoryNetworkKinds,
  clock: clockKind,
  dice: diceKind,
  latencyMs: callable,
  onPost: callable,
});

/**
 * A memory network between one process and its hosts on which every task takes a random time. Streams, directions and
 * the two ends' notices of a loss overtake each other; the frames of one stream do not. Tests can stall and cut it.
 */
export class SimulatedLine {
  readonly network: MemoryNetwork;
  readonly #options: SimulatedLineOptions;
  readonly #underWay = new Map<() => void, Timer>();
  #held: (() => void)[] = [];
  #isStalled = false;

  constructor(options: SimulatedLineOptions) {
    assertObject(options, "The options of a SimulatedLine, { clock, dice },");
    assertOptions(options, shape, "SimulatedLine");
    assertArgument(options.clock, "The clock of a line", clockKind);
    assertArgument(options.dice, "The dice of a line", diceKind);
    const { dice: _, latencyMs: __, onPost: ___, ...ofNetwork } = options;
    this.#options = options;
    this.network = createMemoryNetwork({ ...ofNetwork, schedule: (task) => this.#post(task) });
  }

  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** Deliveries, openings and ends that have not happened yet. */
  get underWay(): number {
    return this.#underWay.size + this.#held.length;
  }

  /** Stops all traffic until `resume`; neither side learns of it. */
  stall(): void {
    this.#isStalled = true;
    for (const [task, timer] of this.#underWay) {
      timer.cancel();
      this.#held.push(task);
    }
    this.#underWay.clear();
  }

  resume(): void {
    this.#isStalled = false;
    const held = this.#held;
    this.#held = [];
    for (const task of held) this.#post(task);
  }

  /** Cuts every connection. Tasks in progress are lost; each side learns of the loss at its own time. */
  cut(): void {
    this.network.cut();
  }

  #post(task: () => void): void {
    if (this.#isStalled) {
      this.#held.push(task);
      return;
    }
    const { clock, dice, latencyMs = usualLatencyMs, onPost } = this.#options;
    const happens = onPost?.();
    const timer = clock.setTimer(latencyMs(dice), () => {
      this.#underWay.delete(task);
      happens?.();
      task();
    });
    this.#underWay.set(task, timer);
  }
}

function usualLatencyMs(dice: Dice): number {
  const draw = dice.next();
  if (draw < 0.9) return dice.between(0, 3);
  return draw < 0.99 ? dice.between(4, 60) : dice.between(60, 2_000);
}
