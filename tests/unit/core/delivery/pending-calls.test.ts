import { describe, expect, test } from "vitest";
import { CancelledError, TimedOutError } from "../../../../src/core/index.ts";
import { PendingCall, PendingCalls, systemClock } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";

describe("PendingCalls", () => {
  test("a call settles by its id, once, and is forgotten", async () => {
    const calls = new PendingCalls<string>();
    const answer = calls.open("1");
    expect(calls.has("1")).toBe(true);
    expect(calls.resolve("1", "yes")).toBe(true);
    expect(calls.resolve("1", "again")).toBe(false);
    expect(calls.reject("1", new Error("late"))).toBe(false);
    expect(await answer).toBe("yes");
    expect(calls.size).toBe(0);
  });

  test("an answer to a call nobody made is refused", () => {
    expect(new PendingCalls().resolve("unknown", 1)).toBe(false);
  });

  test("all that wait can be ended, each with an error of its own", async () => {
    const calls = new PendingCalls<string>();
    const ends = Promise.allSettled([calls.open("1"), calls.open("2")]);
    expect(calls.rejectAll((id) => new Error(`gone ${id}`))).toBe(2);
    expect((await ends).map((end) => end.status === "rejected" && end.reason.message)).toEqual(["gone 1", "gone 2"]);
    expect(calls.size).toBe(0);
  });

  test("a timeout rejects with the recipient and the time in its text, and leaves nothing behind", async () => {
    const clock = new ManualClock();
    const calls = new PendingCalls<string>({ clock });
    const call = calls.open("1", { timeoutMs: 50, recipient: "echo/k" });
    clock.advance(49);
    expect(calls.size).toBe(1);
    clock.advance(1);
    await expect(call).rejects.toBeInstanceOf(TimedOutError);
    await expect(call).rejects.toThrow("No answer from echo/k within 50 ms.");
    expect(calls.size).toBe(0);
    expect(calls.resolve("1", "late")).toBe(false);
  });

  test("an answer in time leaves no timer and no listener", async () => {
    const clock = new ManualClock();
    const calls = new PendingCalls<string>({ clock });
    const { signal, listeners } = countingSignal();
    const call = calls.open("1", { timeoutMs: 50, signal });
    expect([clock.pendingTimers, listeners()]).toEqual([1, 1]);
    calls.resolve("1", "in time");
    expect([clock.pendingTimers, listeners()]).toEqual([0, 0]);
    expect(await call).toBe("in time");
  });

  test("an abort rejects with the reason as its cause, and tells whoever asked to know", async () => {
    const calls = new PendingCalls<string>();
    const aborting = new AbortController();
    const told: unknown[] = [];
    const call = calls.open("1", { signal: aborting.signal, onGivenUp: (error) => told.push(error) });
    aborting.abort("enough");
    const error = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CancelledError);
    expect(error).toMatchObject({ cause: "enough" });
    expect(told).toEqual([error]);
    expect(calls.size).toBe(0);
  });

  test("a signal that has aborted before opens nothing", async () => {
    const calls = new PendingCalls<string>();
    await expect(calls.open("1", { signal: AbortSignal.abort() })).rejects.toBeInstanceOf(CancelledError);
    expect(calls.size).toBe(0);
  });
});

describe("PendingCall", () => {
  test("without bounds it waits until it is settled", async () => {
    const call = new PendingCall<number>();
    expect(call.isSettled).toBe(false);
    expect(call.reject(new Error("no"))).toBe(true);
    expect(call.resolve(1)).toBe(false);
    await expect(call.promise).rejects.toThrow("no");
  });

  test("an endless timeout arms nothing", () => {
    const clock = new ManualClock();
    for (const timeoutMs of [Number.POSITIVE_INFINITY, 2 ** 31]) new PendingCall({ timeoutMs, clock });
    expect(clock.pendingTimers).toBe(0);
  });

  test("the system clock is the default", async () => {
    expect(systemClock.now()).toBeGreaterThan(0);
    await expect(new PendingCall({ timeoutMs: 1 }).promise).rejects.toThrow("within 1 ms");
  });
});

/** A signal that knows how many listeners it has. */
function countingSignal(): { readonly signal: AbortSignal; readonly listeners: () => number } {
  const { signal } = new AbortController();
  let count = 0;
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = (...args: Parameters<typeof addEventListener>) => {
    count += 1;
    addEventListener.apply(signal, args);
  };
  signal.removeEventListener = (...args: Parameters<typeof removeEventListener>) => {
    count -= 1;
    removeEventListener.apply(signal, args);
  };
  return { signal, listeners: () => count };
}
