import { describe, expect, test } from "vitest";
import { decideRetry, noTries, retrySettings, type Tries } from "../../../../src/core/courier/retry-policy.ts";
import { type ErrorCode, TroupeError, UndeliverableException } from "../../../../src/core/index.ts";

const dayMs = 24 * 60 * 60 * 1_000;
const settings = retrySettings();

function decide(error: TroupeError, tries: Tries = noTries, { ageMs = 0, random = 0 } = {}) {
  return decideRetry(error, tries, { ageMs, random, settings });
}

function errorOf(code: ErrorCode): TroupeError {
  return new TroupeError(code, "text");
}

/** The delays until a message is given up, and the reason. */
function course(error: TroupeError, ageMs = 0): { delays: number[]; why: unknown } {
  const delays: number[] = [];
  for (let tries = noTries; ; ) {
    const decision = decide(error, tries, { ageMs });
    if (decision.at === "bury") return { delays, why: decision.why };
    delays.push(decision.delayMs);
    tries = decision.tries;
    if (delays.length === 12) return { delays, why: undefined };
  }
}

describe("a message that was not handled", () => {
  test.each<ErrorCode>([
    "handler-failed",
    "timed-out",
    "disconnected",
    "cancelled",
    "dropped",
    "state-conflict" as ErrorCode,
  ])("%s is an attempt: it is tried 5 times, each wait twice as long", (code) => {
    expect(course(errorOf(code))).toEqual({
      delays: [1_000, 2_000, 4_000, 8_000],
      why: { code, text: "text", attempts: 5 },
    });
  });

  test.each<string>([
    "invalid-message",
    "cant-handle",
    "not-authorized",
    "invalid-state",
    "state-too-large",
    "loop-detected",
  ])("%s makes it a dead letter at once", (code) => {
    expect(course(errorOf(code as ErrorCode))).toEqual({ delays: [], why: { code, text: "text", attempts: 1 } });
  });

  test.each<ErrorCode>(["undeliverable", "overloaded", "state-unavailable"])(
    "%s is no attempt: it is tried again after 100 ms and then up to 30 s",
    (code) => {
      expect(course(errorOf(code)).delays).toEqual([
        ...[100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600],
        ...[30_000, 30_000, 30_000],
      ]);
    },
  );

  test("a full mailbox to which its turn sends is no attempt either: the turn has changed nothing", () => {
    expect(course(errorOf("mailbox-full")).delays.slice(0, 3)).toEqual([100, 200, 400]);
  });

  test("a state of a newer version is no attempt: the message waits for a newer worker, as in an upgrade", () => {
    expect(course(errorOf("state-too-new")).delays.slice(0, 5)).toEqual([100, 200, 400, 800, 1_600]);
  });

  test("what could not be delivered for 7 days has expired", () => {
    expect(course(errorOf("undeliverable"), 7 * dayMs - 1).why).toBeUndefined();
    expect(course(errorOf("undeliverable"), 7 * dayMs)).toEqual({
      delays: [],
      why: { code: "expired", text: "text", attempts: 0 },
    });
  });

  test("a runtime that ends is no attempt only if no handler has seen the message", () => {
    const ending = (notHandled: boolean) => new UndeliverableException("text", { code: "shutting-down", notHandled });
    expect(decide(ending(true))).toMatchObject({ at: "again", tries: { attempts: 0, waits: 1 } });
    expect(decide(ending(false))).toMatchObject({ at: "again", tries: { attempts: 1, waits: 0 } });
  });

  test("chance takes up to half of a wait away, and never makes it longer than 5 minutes", () => {
    const failed = errorOf("handler-failed");
    expect(decide(failed, noTries, { random: 1 })).toMatchObject({ delayMs: 500 });
    const patient = retrySettings({ attempts: 100 });
    const late = decideRetry(failed, { attempts: 50, waits: 0 }, { ageMs: 0, random: 0, settings: patient });
    expect(late).toMatchObject({ delayMs: 300_000 });
  });

  test("waits at most as long as a timer can wait", () => {
    const patient = retrySettings({ initialDelayMs: 100 * dayMs, maxDelayMs: 100 * dayMs, jitter: 0 });
    const decision = decideRetry(errorOf("handler-failed"), noTries, { ageMs: 0, random: 0, settings: patient });
    expect(decision).toMatchObject({ at: "again", delayMs: 2 ** 31 - 1 });
  });
});
