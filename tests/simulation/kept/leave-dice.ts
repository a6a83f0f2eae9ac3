import { Dice } from "../../../src/testing/index.ts";
import type { PlannedAction, PlannedCall } from "../plan.ts";
import { type LeaveFault, leaveFaultKinds, type PlannedReminder, type PlannedTell, type PlannedType } from "./plan.ts";

export interface LeavingOptions {
  readonly seed: number;
  readonly seats: number;
  readonly spanMs: number;
  readonly types: readonly PlannedType[];
  /** Whether the world has faults that disturb somebody. */
  readonly hasFaults: boolean;
  readonly always: boolean;
}

export interface LeavingPart {
  /** The types, some of which run ahead of their commits. */
  readonly types: readonly PlannedType[];
  readonly actions: readonly PlannedAction[];
}

/** Draws what makes the agents of a world leave their workers, with much that comes for them at that moment. */
export function drawLeaving({ seed, seats, spanMs, types, hasFaults, always }: LeavingOptions): LeavingPart {
  const dice = new Dice(seed, 4);
  if (!dice.chance(0.6) && !always) return { types, actions: [] };
  const ahead = types.map((type) => ({ ...type, runAhead: dice.chance(0.3) ? dice.between(1, 8) : 0 }));
  const draw = new LeaveDice(dice, { seats, types, hasFaults });
  const rushes = Array.from({ length: dice.between(1, 3) }, () => draw.rush(dice.between(0, spanMs)));
  return { types: ahead, actions: rushes.flat() };
}

class LeaveDice {
  readonly #dice: Dice;
  readonly #world: Pick<LeavingOptions, "seats" | "types" | "hasFaults">;

  constructor(dice: Dice, world: Pick<LeavingOptions, "seats" | "types" | "hasFaults">) {
    this.#dice = dice;
    this.#world = world;
  }

  /** Much comes for one agent, and the agent leaves amid it. */
  rush(fromMs: number): PlannedAction[] {
    const dice = this.#dice;
    const agent = { type: dice.between(0, this.#world.types.length - 1), key: dice.pick(["a", "b"]) };
    const work = Array.from({ length: dice.between(4, 10) }, (): PlannedAction => {
      const seat = dice.between(0, this.#world.seats - 1);
      const action = dice.chance(0.4)
        ? ({ do: "tell", seat, tell: this.#tell(agent, 1) } as const)
        : ({ do: "call", seat, call: this.#call(agent, 1) } as const);
      return { atMs: fromMs + dice.between(0, 60), action };
    });
    const leaves = Array.from({ length: dice.between(1, 2) }, () => this.#leave(fromMs + dice.between(0, 60), agent));
    return [...work, ...leaves];
  }

  #leave(atMs: number, agent: { readonly type: number; readonly key: string }): PlannedAction {
    const dice = this.#dice;
    const servers = this.#world.types[agent.type]?.seats ?? [0];
    const seat = dice.pick(servers);
    if (dice.chance(0.25)) return { atMs, action: { do: "deactivate", seat, ...agent } };
    const kinds = leaveFaultKinds.filter((kind) => kind !== "late-host" || this.#world.hasFaults);
    return { atMs, action: this.#fault(dice.pick(kinds), seat) };
  }

  #fault(kind: LeaveFault["do"], seat: number): LeaveFault {
    const dice = this.#dice;
    switch (kind) {
      case "drain-worker":
        return { do: kind, seat, graceMs: dice.chance(0.4) ? dice.between(0, 300) : dice.pick([2_000, 15_000]) };
      case "change-connection":
        return { do: kind, seat };
      case "late-host":
        return { do: kind, seat, lateMs: dice.between(50, 4_000) };
    }
  }

  #call({ type, key }: { readonly type: number; readonly key: string }, depth: number): PlannedCall {
    const dice = this.#dice;
    const reads = dice.chance(0.15);
    return {
      target: undefined,
      kept: { type, reads, isRepeated: !reads && depth === 1 && dice.chance(0.2) },
      key,
      timeoutMs: undefined,
      abortAfterMs: undefined,
      inheritsSignal: dice.chance(0.5),
      behaviour: {
        delayMs: dice.chance(0.5) ? 0 : dice.between(1, 100),
        nested: depth > 0 && dice.chance(0.15) ? [this.#call({ type, key: dice.pick(["a", "b"]) }, depth - 1)] : [],
        publishes: !reads && dice.chance(0.2) ? ["red"] : [],
        ends: dice.chance(0.9) ? "answers" : "throws",
        kept: reads
          ? undefined
          : {
              ...{ saves: dice.chance(0.1), cancels: dice.chance(0.1) ? ["z"] : [], destroys: false },
              tells: dice.chance(0.2) ? [this.#tell({ type: this.#type(), key: dice.pick(["a", "b"]) }, 0)] : [],
              reminders: dice.chance(0.25) ? [this.#reminder()] : [],
            },
      },
    };
  }

  #reminder(): PlannedReminder {
    const dice = this.#dice;
    const repeats = dice.next();
    const place = dice.pick(["z", "x"]);
    if (repeats < 0.4) return { place, afterMs: dice.between(0, 500), everyMs: undefined };
    if (repeats < 0.7) return { place, afterMs: 0, everyMs: dice.between(1_000, 1_500) };
    const cronSeconds = dice.pick([2, 5]);
    return { place, afterMs: 0, everyMs: cronSeconds * 1_000, cronSeconds };
  }

  #tell({ type, key }: { readonly type: number; readonly key: string }, depth: number): PlannedTell {
    const dice = this.#dice;
    return {
      ...{ type, key, failures: dice.chance(0.15) ? 1 : 0 },
      tells: depth > 0 && dice.chance(0.2) ? [this.#tell({ type: this.#type(), key }, depth - 1)] : [],
    };
  }

  #type(): number {
    return this.#dice.between(0, this.#world.types.length - 1);
  }
}
