import { expect, it, vi } from "vitest";
import { DeadLetters } from "../../../../src/core/state/memory/dead-letters.ts";

it("dead letters of thousands of agent types have a bound, for which few of them make the store look at all types", () => {
  const dead = new DeadLetters(1_000 * 1_034);
  const frame = new Uint8Array(10);
  const why = { code: "handler-failed", text: "it threw", attempts: 5 } as const;
  const sorts = vi.spyOn(Array.prototype, "sort");
  let forgotten = 0;
  for (let at = 0; at < 3_000; at += 1) {
    const message = { id: "1", kind: "call", frame, sentAtMs: 0, place: 0, priorTakeovers: 0 } as const;
    forgotten += dead.add({ ...message, mailbox: { type: `type-${at}`, key: "k" } }, why, at).forgotten;
  }
  const looks = sorts.mock.calls.length;
  sorts.mockRestore();
  const { letters } = dead.page({ limit: 10_000 }, -1);
  expect(letters.length).toBe(3_000 - forgotten);
  expect(letters.length).toBeLessThanOrEqual(1_000 + 1_000 / 16);
  expect(letters.length).toBeGreaterThanOrEqual(1_000);
  expect(looks).toBeLessThan(40);
});
