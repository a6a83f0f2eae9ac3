import { randomFaults, seededRandom } from "troupe/testing";
import { describe, expect, test } from "vitest";

const connections = Array.from({ length: 200 }, (_, number) => number);

describe("random faults", () => {
  test("are the same for the same seed and connection", () => {
    for (const connection of connections) expect(randomFaults(7, connection)).toEqual(randomFaults(7, connection));
  });

  test("differ from seed to seed and from connection to connection", () => {
    const plans = (seed: number) => connections.map((connection) => JSON.stringify(randomFaults(seed, connection)));
    expect(plans(1)).not.toEqual(plans(2));
    expect(new Set(plans(1)).size).toBeGreaterThan(100);
  });

  test("include every kind over many connections, and some connections have none", () => {
    const plans = connections.map((connection) => randomFaults(3, connection));
    const kinds = new Set(plans.flat().map((step) => step.fault.kind));
    expect(kinds).toEqual(
      new Set(["delay", "throttle", "stall", "drop", "half-close", "close", "reset", "refuse"] as const),
    );
    expect(plans.some((plan) => plan.length === 0)).toBe(true);
  });

  test("need at least one kind to choose from", () => {
    const kinds = [] as unknown as ["stall"];
    expect(() => randomFaults(7, 0, { kinds })).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringContaining("at least one kind of fault"),
      }),
    );
  });

  test("respect the limits of kinds, number, position and duration", () => {
    const options = { kinds: ["stall"], maxFaults: 2, withinBytes: 100, maxLastsMs: 30 } as const;
    for (const connection of connections) {
      const plan = randomFaults(1, connection, options);
      expect(plan.length).toBeLessThanOrEqual(2);
      for (const { fault, afterBytes, connection: hit } of plan) {
        expect(hit).toBe(connection);
        expect(afterBytes).toBeLessThanOrEqual(100);
        expect(fault).toMatchObject({ kind: "stall", forMs: expect.toSatisfy((ms: number) => ms >= 1 && ms <= 30) });
      }
    }
  });
});

describe("seeded random", () => {
  test("gives the same numbers on every machine", () => {
    const random = seededRandom(42);
    const numbers = Array.from({ length: 4 }, () => random.between(0, 999));
    expect(numbers).toEqual([97, 692, 999, 768]);
  });

  test("is evenly distributed and reaches both bounds", () => {
    const random = seededRandom(1, 2, 3);
    const counts = [0, 0, 0, 0];
    for (let i = 0; i < 4_000; i++) {
      const at = random.between(0, 3);
      counts[at] = (counts[at] ?? 0) + 1;
    }
    for (const count of counts) expect(count).toBeGreaterThan(850);
  });
});
