import { describe, expect, test } from "vitest";
import { assertKind, UndeliverableException } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { backOffMs, connectWithRetry } from "../../../../src/worker/connection/connect-with-retry.ts";
import { reconnectKind, reconnectSettings } from "../../../../src/worker/reconnect-options.ts";

const settings = reconnectSettings({ initialDelayMs: 100, maxDelayMs: 5_000, factor: 2, jitter: 0.5 });

describe("the delay before an attempt", () => {
  test("doubles with each failure up to its bound, however many there were", () => {
    const delays = [0, 1, 2, 3, 5, 6, 10_000].map((failures) => backOffMs(failures, settings, () => 0));
    expect(delays).toEqual([100, 200, 400, 800, 3_200, 5_000, 5_000]);
  });

  test("is none where it begins with none, however many failures there were", () => {
    const none = reconnectSettings({ initialDelayMs: 0 });
    expect([0, 1, 2_000].map((failures) => backOffMs(failures, none, () => 0))).toEqual([0, 0, 0]);
  });

  test("loses at most the part that jitter says", () => {
    expect(backOffMs(1, settings, () => 0.5)).toBe(150);
    expect(backOffMs(1, settings, () => 0.999_999)).toBe(100);
    expect(backOffMs(1, reconnectSettings({ jitter: 0 }), () => 0.999)).toBe(200);
  });
});

describe("the options of reconnecting", () => {
  test.each([{ initialDelayMs: -1 }, { factor: 0.5 }, { jitter: 2 }, { maxAttempts: -1 }, { maxDelayMs: Number.NaN }])(
    "refuse %o",
    (options) => {
      expect(() => assertKind("reconnect", options, reconnectKind)).toThrow(
        expect.objectContaining({ code: "invalid-argument" }),
      );
    },
  );

  test("make one attempt when there is to be none", () => {
    expect(reconnectSettings(false).maxAttempts).toBe(0);
  });
});

describe("a host that refuses a worker and says when to come again", () => {
  async function delaysAfter(...hints: readonly (number | undefined)[]): Promise<readonly number[]> {
    const clock = new ManualClock();
    const delays: number[] = [];
    const left = [...hints];
    await connectWithRetry({
      ...{ addresses: ["h:1"], failedRounds: 0, failedAttempts: 0, maxAttempts: Number.POSITIVE_INFINITY, clock },
      ...{ reconnect: reconnectSettings({ initialDelayMs: 100, factor: 1, jitter: 0 }), random: () => 0, reason: "" },
      signal: new AbortController().signal,
      onStep: (step) => {
        if (step.at !== "waiting") return;
        delays.push(step.delayMs);
        queueMicrotask(() => clock.advance(step.delayMs));
      },
      open: async () => {
        if (left.length === 0) return "open";
        throw new UndeliverableException("refused", { code: "overloaded", retryAfterMs: left.shift() });
      },
      isWorthRetrying: () => true,
    });
    return delays;
  }

  test("is not asked earlier, and once it names no time, the worker's own delays count again", async () => {
    expect(await delaysAfter(2_500, undefined, 20)).toEqual([100, 2_500, 100, 100]);
  });

  test("can't keep the worker away for longer than a minute", async () => {
    expect(await delaysAfter(86_400_000)).toEqual([100, 60_000]);
  });
});
