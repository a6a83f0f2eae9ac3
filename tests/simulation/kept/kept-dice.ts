import { Dice } from "../../../src/testing/index.ts";
import type { Behaviour, PlannedAction, PlannedCall } from "../plan.ts";
import { drawLeaving } from "./leave-dice.ts";
import {
  type KeptBehaviour,
  type KeptFault,
  type KeptFaultKind,
  type KeptWork,
  keptFaultKinds,
  type PlannedTell,
  type PlannedType,
} from "./plan.ts";

const keys = ["a", "b"];
const places = ["x", "y"];
const topics = ["red", "green"];

export interface KeptPart {
  readonly types: readonly PlannedType[];
  readonly actions: readonly PlannedAction[];
}

export interface KeptWorldOptions {
  readonly seed: number;
  readonly seats: number;
  readonly spanMs: number;
  /** Whether the world has faults at all. */
  readonly hasFaults: boolean;
  /** Faults that it has in any case, and persistent agents. Undefined: the dice decide. */
  readonly always?: readonly KeptFaultKind[] | undefined;
  /** Agents leave in any case. Undefined: the dice decide. */
  readonly alwaysLeaves?: boolean | undefined;
}

/** Draws the persistent agents of a world, and what happens to them. */
export function drawKept(options: KeptWorldOptions): KeptPart {
  const { seed, seats, spanMs, hasFaults, always, alwaysLeaves } = options;
  const dice = new Dice(seed, 3);
  const hasKept = dice.chance(0.5) || always !== undefined;
  if (!hasKept) return { types: [], actions: [] };
  const types = Array.from({ length: Math.ceil(seats / 2) }, (_, first) => drawType(dice, first, seats));
  const draw = new KeptDice(dice, types, seats);
  const work = times(dice.between(6, 18), () => ({ atMs: dice.between(0, spanMs), action: draw.work() }));
  const kinds = hasFaults ? (dice.chance(0.4) ? [dice.pick(keptFaultKinds)] : keptFaultKinds) : [];
  const drawn = kinds.length === 0 ? [] : times(dice.between(0, 2), () => dice.pick(kinds));
  // Each kind has its turn, so that a few dozen seeds have all of them.
  const own = kinds.length === 0 ? undefined : keptFaultKinds[Math.floor(seed / 2) % keptFaultKinds.length];
  const faults = [...(own === undefined ? [] : [own]), ...drawn, ...(always ?? [])].map((kind) => ({
    atMs: dice.between(0, spanMs),
    action: draw.fault(kind),
  }));
  const leaving = drawLeaving({ seed, seats, spanMs, types, hasFaults, always: alwaysLeaves === true });
  return { types: leaving.types, actions: [...work, ...faults, ...leaving.actions] };
}

function drawType(dice: Dice, first: number, seats: number): PlannedType {
  const others = Array.from({ length: seats }, (_, seat) => seat).filter((seat) => seat !== first);
  const shares = dice.next();
  const count = shares < 0.4 ? 0 : shares < 0.75 ? 1 : 2;
  return {
    seats: [first, ...others.slice(0, count)],
    topics: topics.filter(() => dice.chance(0.4)),
    placement: dice.pick(["hash", "least-loaded", "round-robin", "prefer-local"]),
    idleAfterMs: dice.chance(0.4) ? dice.between(50, 1_500) : undefined,
    maxLive: dice.chance(0.3) ? 1 : undefined,
    runAhead: 0,
  };
}

class KeptDice {
  readonly #dice: Dice;
  readonly #types: readonly PlannedType[];
  readonly #seats: number;

  constructor(dice: Dice, types: readonly PlannedType[], seats: number) {
    this.#dice = dice;
    this.#types = types;
    this.#seats = seats;
  }

  work(): KeptWork | { readonly do: "call"; readonly seat: number; readonly call: PlannedCall } {
    const dice = this.#dice;
    const seat = this.#seat();
    const draw = dice.next();
    if (draw < 0.72) return { do: "call", seat, call: this.call(2) };
    if (draw < 0.84) return { do: "tell", seat, tell: this.#tell(1) };
    const agent = { type: this.#type(), key: dice.pick(keys) };
    if (draw < 0.91) return { do: "deactivate", seat, ...agent };
    return draw < 0.94 ? { do: "destroy", seat, ...agent } : { do: "stock-save", seat, ...agent };
  }

  call(depth: number): PlannedCall {
    const dice = this.#dice;
    const reads = dice.chance(0.15);
    return {
      target: undefined,
      kept: { type: this.#type(), reads, isRepeated: !reads && depth === 2 && dice.chance(0.25) },
      key: dice.pick(keys),
      timeoutMs: dice.chance(0.2) ? dice.between(1, 3_000) : undefined,
      abortAfterMs: dice.chance(0.05) ? dice.between(0, 1_000) : undefined,
      inheritsSignal: dice.chance(0.5),
      behaviour: this.#behaviour(depth, reads),
    };
  }

  fault(kind: KeptFaultKind): KeptFault {
    const dice = this.#dice;
    const seat = this.#seat();
    const downMs = dice.between(0, 2_000);
    switch (kind) {
      case "slow-store":
      case "full-store":
      case "lost-store":
        return { do: kind, forMs: dice.between(10, 1_500) };
      case "power-loss":
        return { do: kind, downMs };
      case "second-host": {
        const cuts = Array.from({ length: this.#seats }, (_, index) => index).filter(() => dice.chance(0.5));
        return { do: kind, overlapMs: dice.between(0, 3_000), ends: dice.pick(["stop", "kill"]), cuts };
      }
      case "stale-worker":
        return { do: kind, seat, lateMs: dice.between(50, 6_000) };
      case "crash-at-commit":
        return { do: kind, seat, downMs };
    }
  }

  #behaviour(depth: number, reads: boolean): Behaviour {
    const dice = this.#dice;
    return {
      delayMs: dice.chance(0.5) ? 0 : dice.between(1, 400),
      nested: depth > 0 && dice.chance(0.35) ? times(dice.between(1, 2), () => this.call(depth - 1)) : [],
      publishes: !reads && dice.chance(0.2) ? [dice.pick(topics)] : [],
      ends: dice.chance(0.85) ? "answers" : "throws",
      kept: reads ? undefined : this.#effects(),
    };
  }

  #effects(): KeptBehaviour {
    const dice = this.#dice;
    const everyMs = dice.chance(0.3) ? dice.between(1_000, 2_000) : undefined;
    const reminder = { place: dice.pick(places), afterMs: dice.between(0, 2_500), everyMs };
    return {
      saves: dice.chance(0.1),
      tells: dice.chance(0.2) ? [this.#tell(1)] : [],
      reminders: dice.chance(0.2) ? [reminder] : [],
      cancels: dice.chance(0.12) ? [dice.pick(places)] : [],
      destroys: dice.chance(0.02),
    };
  }

  #tell(depth: number): PlannedTell {
    const dice = this.#dice;
    return {
      type: this.#type(),
      key: dice.pick(keys),
      failures: dice.chance(0.2) ? dice.between(1, 2) : 0,
      tells: depth > 0 && dice.chance(0.3) ? [this.#tell(depth - 1)] : [],
    };
  }

  #seat(): number {
    return this.#dice.between(0, this.#seats - 1);
  }

  #type(): number {
    return this.#dice.between(0, this.#types.length - 1);
  }
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
