import { expect, it } from "vitest";
import { limits } from "../../../../src/host/limits.ts";
import { RateLimitedLogger } from "../../../../src/host/log/rate-limited-logger.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

function setUp() {
  const clock = new ManualClock();
  const recorded = new RecordingLogger();
  return { clock, recorded, logger: new RateLimitedLogger(recorded, clock) };
}

it("passes so many lines of one text, and tells at the end of the window how many it withheld", () => {
  const { clock, recorded, logger } = setUp();
  for (let count = 0; count < limits.logLines + 7; count += 1) logger.warn("a frame could not be read", { count });
  logger.warn("something else");
  expect(recorded.lines).toHaveLength(limits.logLines + 1);
  clock.advance(limits.logWindowMs);
  expect(recorded.lines.at(-1)).toEqual({
    level: "warn",
    text: "a frame could not be read (repeated)",
    fields: { times: 7 },
  });
  logger.warn("a frame could not be read");
  expect(recorded.texts("warn").at(-1)).toBe("a frame could not be read");
});

it("keeps no timer while nothing is withheld, and none after it was flushed", () => {
  const { clock, recorded, logger } = setUp();
  for (let count = 0; count < limits.logLines; count += 1) logger.info("a worker has joined");
  expect(clock.pendingTimers).toBe(0);
  logger.info("a worker has joined");
  expect(clock.pendingTimers).toBe(1);
  logger.flush();
  expect(clock.pendingTimers).toBe(0);
  expect(recorded.lines.at(-1)?.fields).toEqual({ times: 1 });
});

it("begins a new window when the old one is over, though it withheld nothing", () => {
  const { clock, recorded, logger } = setUp();
  for (let round = 0; round < 3; round += 1) {
    for (let count = 0; count < limits.logLines; count += 1) logger.error("x");
    clock.advance(limits.logWindowMs);
  }
  expect(recorded.texts("error")).toHaveLength(3 * limits.logLines);
});

it("goes on where the logger that it passes lines to throws", () => {
  const clock = new ManualClock();
  const fail = (): void => {
    throw new Error("the disk is full");
  };
  const logger = new RateLimitedLogger({ debug: fail, info: fail, warn: fail, error: fail }, clock);
  for (let count = 0; count < limits.logLines + 7; count += 1) logger.warn("a frame could not be read");
  clock.advance(limits.logWindowMs);
  expect(clock.pendingTimers).toBe(0);
});

it.each([
  ["a promise", () => Promise.reject(new Error("the disk is full"))],
  [
    "an object like a promise",
    () => ({
      // biome-ignore lint/suspicious/noThenProperty: it is what the test is about.
      then: (onValue: unknown, onError: (error: Error) => void) =>
        Promise.reject(new Error("the disk is full")).then(onValue as undefined, onError),
    }),
  ],
])("goes on where the logger returns %s that rejects", async (_what, fail) => {
  const clock = new ManualClock();
  const logger = new RateLimitedLogger({ debug: fail, info: fail, warn: fail, error: fail }, clock);
  // An unhandled rejection fails the run.
  logger.warn("a frame could not be read");
  logger.warn("a frame could not be read", { count: 1 });
  await new Promise((resolve) => setImmediate(resolve));
});

it("shows an operator the advice at the end of an error's text, and cuts other values after 200 characters", () => {
  const { recorded, logger } = setUp();
  const advice = "Stop what uses it, and restore a backup.";
  logger.error("a state could not be read", {
    error: new Error(`The state store /var/${"x".repeat(200)} failed. ${advice}`),
    file: "y".repeat(300),
  });
  logger.error("a state could not be read", { error: new Error("z".repeat(5_000)) });
  expect(recorded.lines.map(({ fields }) => fields)).toEqual([
    { error: expect.stringContaining(advice), file: `${"y".repeat(200)}…` },
    { error: `${"z".repeat(1_000)}…` },
  ]);
});

it("shows an empty text as it is, and never as the text of an error", () => {
  const { recorded, logger } = setUp();
  logger.info("a worker has joined", { userAgent: "", error: new Error("") });
  expect(recorded.lines.at(-1)?.fields).toEqual({ userAgent: "", error: "Error" });
});
