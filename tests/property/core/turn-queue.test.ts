import fc from "fast-check";
import { expect, test } from "vitest";
import { type Turn, TurnQueue } from "../../../src/core/internal.ts";

/** One thing that happens; numbers pick among what is there at that moment. */
type Step =
  | {
      readonly do: "ask";
      readonly kind: Turn["kind"];
      readonly bytes: number;
      readonly isUrgent: boolean;
      readonly above: readonly number[];
    }
  | { readonly do: "end running" | "give up"; readonly pick: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("ask" as const),
      kind: fc.constantFrom("alone" as const, "reading" as const),
      bytes: fc.nat({ max: 5 }),
      isUrgent: fc.boolean(),
      above: fc.array(fc.nat({ max: 4 }), { maxLength: 2 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("end running" as const), pick: fc.nat() }) },
  fc.record({ do: fc.constant("give up" as const), pick: fc.nat() }),
);

interface ModelTurn extends Turn {
  readonly name: number;
  /** The names of the turns that wait for it. */
  readonly above: ReadonlySet<number>;
}

/** The rules as they are written down: two lists, looked through from the beginning each time. */
class Model {
  running: ModelTurn[] = [];
  waiting: ModelTurn[] = [];

  /** Turns that run and do not wait for it. */
  others(turn: ModelTurn): ModelTurn[] {
    return this.running.filter(({ name }) => !turn.above.has(name));
  }

  letsIn(turn: ModelTurn): boolean {
    const others = this.others(turn);
    return others.length === 0 || [turn, ...others].every(({ kind }) => kind === "reading");
  }

  overtakes(turn: ModelTurn): boolean {
    return this.running.length > 0 && this.others(turn).length === 0;
  }

  ask(turn: ModelTurn, maxQueued: number, maxBytes: number): "begun" | "waits" | "full" {
    if (this.overtakes(turn) || (this.waiting.length === 0 && this.letsIn(turn))) {
      this.running.push(turn);
      return "begun";
    }
    const bytes = this.waiting.reduce((sum, { bytes }) => sum + bytes, turn.bytes);
    if (this.waiting.length >= maxQueued || (this.waiting.length > 0 && bytes > maxBytes)) return "full";
    this.waiting.push(turn);
    return "waits";
  }

  /** Returns the names of the turns that begin, each with whether an urgent message waits behind it. */
  end(turn: ModelTurn): [name: number, hurries: boolean][] {
    this.running = this.running.filter((one) => one !== turn);
    this.waiting = this.waiting.filter((one) => one !== turn);
    const begun: [number, boolean][] = [];
    const begin = (next: ModelTurn) => {
      this.waiting = this.waiting.filter((one) => one !== next);
      this.running.push(next);
      begun.push([next.name, this.waiting.some(({ isUrgent }) => isUrgent)]);
    };
    for (const next of this.waiting) if (this.overtakes(next)) begin(next);
    for (let next = this.waiting[0]; next !== undefined && this.letsIn(next); next = this.waiting[0]) begin(next);
    return begun;
  }
}

test("turns begin in the order of arrival, alone or with others that read, within the bounds, as in a naive model", () => {
  const bounds = fc.record({ maxQueued: fc.nat({ max: 4 }), maxQueuedBytes: fc.nat({ max: 8 }) });
  fc.assert(
    fc.property(bounds, fc.array(step, { maxLength: 60 }), (limits, steps) => {
      const queue = new TurnQueue(limits);
      const model = new Model();
      const begun: [number, boolean][] = [];
      const hurried = new Set<number>();
      for (const [name, step] of steps.entries()) {
        if (step.do === "ask") {
          // Turns wait only for what they asked for after they began.
          const above = new Set(step.above.flatMap((at) => model.running[at]?.name ?? []));
          const turn: ModelTurn = {
            ...{ name, kind: step.kind, bytes: step.bytes, isUrgent: step.isUrgent },
            above,
            hasPath: above.size > 0,
            isAwaitedBy: (running) => model.running.some((one) => one === running && above.has(one.name)),
            begin: (hurries) => begun.push([name, hurries]),
            hurry: () => hurried.add(name),
          };
          const expected = model.ask(turn, limits.maxQueued, limits.maxQueuedBytes);
          hurried.clear();
          expect(queue.ask(turn)).toBe(expected);
          const isHurrying = expected === "waits" && step.isUrgent;
          expect([...hurried]).toEqual(isHurrying ? model.running.map(({ name }) => name) : []);
        } else {
          const from = step.do === "give up" ? model.waiting : model.running;
          const turn = from[step.pick % Math.max(1, from.length)];
          if (turn === undefined) continue;
          begun.length = 0;
          queue.end(turn);
          expect(begun).toEqual(model.end(turn));
        }
        expect(queue.waitingCount).toBe(model.waiting.length);
        expect(queue.isIdle).toBe(model.running.length === 0);
      }
    }),
    { numRuns: 500 },
  );
});
