import { describe, expect, test } from "vitest";
import { CancelledError, TimedOutError } from "../../../../../src/core/index.ts";
import { deadlineAfter, PendingCall, PendingCalls, systemClock } from "../../../../../src/core/internal.ts";
import { ManualClock } from "../../../../../src/testing/index.ts";

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

  test("an abort rejects with the reason as its cause", async () => {
    const calls = new PendingCalls<string>();
    const aborting = new AbortController();
    const call = calls.open("1", { signal: aborting.signal });
    aborting.abort("enough");
    const error = await call.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(CancelledError);
    expect(error).toMatchObject({ cause: "enough" });
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

  test("tells its owner once that it was given up, with the error that its promise rejects with", async () => {
    const told: unknown[] = [];
    class Told extends PendingCall<string> {
      protected override onGivenUp(error: unknown): void {
        told.push(error);
      }
    }
    const clock = new ManualClock();
    const aborting = new AbortController();
    const call = new Told();
    call.within({ signal: aborting.signal, timeoutMs: 50 }, deadlineAfter(50, clock));
    clock.advance(50);
    aborting.abort();
    const error = await call.promise.catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TimedOutError);
    expect(told).toEqual([error]);
  });

  test("an endless timeout arms nothing", () => {
    const clock = new ManualClock();
    for (const timeoutMs of [Number.POSITIVE_INFINITY, 2 ** 31]) {
      new PendingCall().within({ timeoutMs }, deadlineAfter(timeoutMs, clock));
    }
    expect(clock.pendingTimers).toBe(0);
  });

  test("times out by the clock of the machine too", async () => {
    expect(systemClock.now()).toBeGreaterThan(0);
    const call = new PendingCall();
    call.within({ timeoutMs: 1 }, deadlineAfter(1, systemClock));
    await expect(call.promise).rejects.toThrow("within 1 ms");
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
