import { Dice } from "../../src/testing/index.ts";
import { drawKept } from "./kept/kept-dice.ts";
import type { KeptFaultKind } from "./kept/plan.ts";
import {
  type Action,
  type Behaviour,
  type PlainFault,
  type PlainFaultKind,
  type Plan,
  type PlannedAction,
  type PlannedCall,
  type PlannedSeat,
  plainFaultKinds,
  type Work,
} from "./plan.ts";
import { drawStream } from "./streams.ts";

const topics = ["red", "green", "green-light"];
const keys = ["a", "b"];

export interface PlanOptions {
  /** It has persistent agents and these faults in any case. */
  readonly always?: readonly KeptFaultKind[] | undefined;
  /** Agents leave their workers in any case. */
  readonly alwaysLeaves?: boolean | undefined;
  /** What is told goes by durable events. */
  readonly tellsByEvents?: boolean | undefined;
}

/** The plan of a seed. */
export function makePlan(seed: number, { always, alwaysLeaves, tellsByEvents }: PlanOptions = {}): Plan {
  const dice = new Dice(seed, 1);
  const drawnSeats = Array.from({ length: dice.between(2, 4) }, () => makeSeat(dice));
  const tangle = new Dice(seed, 2);
  const isTangled = tangle.chance(0.25);
  const seats = isTangled ? drawnSeats.map(inTurns) : drawnSeats;
  // Whoever takes few handlers at a time would be blocked for ever by those that never end.
  const canHang = seats.every(({ maxConcurrentHandlers }) => maxConcurrentHandlers === Number.POSITIVE_INFINITY);
  const draw = new PlanDice(dice, seats.length, canHang);
  const spanMs = dice.between(500, 6_000);
  const kinds = faultsOf(dice);
  const work = times(dice.between(8, 28), () => at(dice, spanMs, draw.work()));
  const faults = times(kinds.length === 0 ? 0 : dice.between(1, 5), () =>
    at(dice, spanMs, draw.fault(dice.pick(kinds))),
  );
  const kept = drawKept({ seed, seats: seats.length, spanMs, hasFaults: kinds.length > 0, always, alwaysLeaves });
  const streams = drawStreams(seed, canHang, { seats: seats.length, keptTypes: kept.types.length, spanMs });
  return {
    seed,
    seats,
    kept: kept.types,
    tellsByEvents,
    windowBytes: dice.chance(0.5) ? dice.between(100, 3_000) : 4 * 1024 * 1024,
    highWaterBytes: dice.chance(0.5) ? dice.between(100, 2_000) : 1024 * 1024,
    hostQueue: dice.chance(0.3)
      ? { maxQueuedFrames: dice.between(12, 40), whenFull: dice.pick(["drop", "disconnect"]) }
      : undefined,
    actions: [
      ...work,
      ...faults,
      ...kept.actions,
      ...streams,
      ...(isTangled ? knots(tangle, seats.length, spanMs) : []),
    ].sort((one, other) => one.atMs - other.atMs),
    lastToStop: dice.pick(["host", "workers"]),
    callsAtStop: times(dice.between(0, 4), () => ({ seat: draw.seat(), call: draw.call(1) })),
  };
}

/** A fifth of the worlds is calm, a third has one kind of fault, the others have any. */
function faultsOf(dice: Dice): readonly PlainFaultKind[] {
  const draw = dice.next();
  if (draw < 0.2) return [];
  return draw < 0.5 ? [dice.pick(plainFaultKinds)] : plainFaultKinds;
}

function makeSeat(dice: Dice): PlannedSeat {
  return {
    topics: topics.filter(() => dice.chance(0.6)),
    sequentialAgents: dice.chance(0.2),
    drainTimeoutMs: dice.pick([0, 200, 2_000]),
    makeMs: dice.chance(0.7) ? 0 : dice.between(1, 200),
    reconnects: dice.chance(0.8),
    eventsWhileDisconnected: dice.chance(0.8) ? "queue" : "reject",
    callsWhileDisconnected: dice.chance(0.7) ? "reject" : "queue",
    keepAliveMs: dice.chance(0.5) ? 0 : dice.between(500, 3_000),
    maxConcurrentHandlers: dice.chance(0.8) ? Number.POSITIVE_INFINITY : dice.between(3, 6),
  };
}

function inTurns(seat: PlannedSeat): PlannedSeat {
  return { ...seat, sequentialAgents: true, maxConcurrentHandlers: Number.POSITIVE_INFINITY };
}

/** Calls of sequential agents that come at almost the same time and call each other, so that some wait for each other. */
function knots(dice: Dice, seats: number, spanMs: number): PlannedAction[] {
  const seat = () => dice.between(0, seats - 1);
  const call = (depth: number): PlannedCall => ({
    target: seat(),
    key: "knot",
    timeoutMs: undefined,
    abortAfterMs: undefined,
    inheritsSignal: dice.chance(0.5),
    behaviour: {
      delayMs: dice.between(0, 60),
      nested: depth === 0 ? [] : times(dice.between(1, 2), () => call(depth - 1)),
      publishes: [],
      ends: "answers",
    },
  });
  return times(dice.between(1, 3), () => dice.between(0, spanMs)).flatMap((fromMs) =>
    times(dice.between(2, 4), () => ({
      atMs: fromMs + dice.between(0, 20),
      action: { do: "call", seat: seat(), call: call(2) } as const,
    })),
  );
}

/** Calls whose answers come in parts. They have dice of their own, so that the rest of a world is as without them. */
function drawStreams(
  seed: number,
  canHang: boolean,
  { seats, keptTypes, spanMs }: { readonly seats: number; readonly keptTypes: number; readonly spanMs: number },
): PlannedAction[] {
  const dice = new Dice(seed, 5);
  const draw = new PlanDice(dice, seats, canHang);
  return times(dice.between(0, 6), () => {
    const outer = draw.call(1);
    const call = dice.chance(0.7) ? streamed(dice, outer, keptTypes) : nesting(dice, outer, keptTypes);
    return at(dice, spanMs, { do: "call", seat: draw.seat(), call });
  });
}

function streamed(dice: Dice, call: PlannedCall, keptTypes: number): PlannedCall {
  const stream = drawStream(dice);
  if (keptTypes === 0 || dice.chance(0.5)) return { ...call, stream };
  const kept = { type: dice.between(0, keptTypes - 1), reads: false, isRepeated: false };
  return { ...call, target: undefined, kept, stream };
}

/** A handler that reads streams. */
function nesting(dice: Dice, call: PlannedCall, keptTypes: number): PlannedCall {
  const nested = call.behaviour.nested.map((inner) => streamed(dice, inner, keptTypes));
  return { ...call, behaviour: { ...call.behaviour, nested } };
}

class PlanDice {
  readonly #dice: Dice;
  readonly #seats: number;
  readonly #canHang: boolean;
  #names = 0;

  constructor(dice: Dice, seats: number, canHang: boolean) {
    this.#canHang = canHang;
    this.#dice = dice;
    this.#seats = seats;
  }

  seat(): number {
    return this.#dice.between(0, this.#seats - 1);
  }

  work(): Work {
    const dice = this.#dice;
    const seat = this.seat();
    const draw = dice.next();
    if (draw < 0.5) return { do: "call", seat, call: this.call(2) };
    const topic = dice.pick(topics);
    if (draw < 0.78) return { do: "publish", seat, topic, count: dice.between(1, 5), byAgent: dice.chance(0.5) };
    if (draw < 0.85) return { do: "subscribe", seat, topic, isPrefix: dice.chance(0.4) };
    if (draw < 0.9) return { do: "unsubscribe", seat };
    if (draw < 0.93) return { do: "register", seat, name: `extra-${this.#names++}` };
    return { do: "state", seat, target: this.seat(), what: dice.pick(["save", "load", "describe"]) };
  }

  fault(kind: PlainFaultKind): PlainFault {
    const dice = this.#dice;
    const seat = this.seat();
    const downMs = dice.between(0, 3_000);
    switch (kind) {
      case "cut":
        return { do: kind, seat };
      case "stall":
        return {
          do: kind,
          seat,
          forMs: dice.between(50, dice.chance(0.2) ? 20_000 : 6_000),
          thenCut: dice.chance(0.3),
        };
      case "slow-reader":
        return { do: kind, seat, forMs: dice.between(50, 4_000) };
      case "kill-worker":
      case "restart-worker":
      case "stop-and-start":
        return { do: kind, seat, downMs };
      case "kill-host":
        return { do: kind, downMs };
      case "restart-host":
        return { do: kind, graceMs: dice.pick([0, 100, 2_000]), downMs };
    }
  }

  call(depth: number): PlannedCall {
    const dice = this.#dice;
    return {
      target: dice.chance(0.04) ? undefined : this.seat(),
      key: dice.pick(keys),
      timeoutMs: dice.chance(0.4) ? dice.between(1, 3_000) : undefined,
      abortAfterMs: dice.chance(0.15) ? dice.between(0, 1_000) : undefined,
      inheritsSignal: dice.chance(0.3),
      behaviour: this.#behaviour(depth),
    };
  }

  #behaviour(depth: number): Behaviour {
    const dice = this.#dice;
    const ends = dice.next();
    return {
      delayMs: dice.chance(0.5) ? 0 : dice.between(1, 1_500),
      nested: depth > 0 && dice.chance(0.3) ? times(dice.between(1, 2), () => this.call(depth - 1)) : [],
      publishes: dice.chance(0.15) ? [dice.pick(topics)] : [],
      ends: ends < 0.82 ? "answers" : ends < 0.92 ? "throws" : ends < 0.96 || !this.#canHang ? "patient" : "never",
    };
  }
}

function at(dice: Dice, spanMs: number, action: Action): PlannedAction {
  return { atMs: dice.between(0, spanMs), action };
}

function times<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}
