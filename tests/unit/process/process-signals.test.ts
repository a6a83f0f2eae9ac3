import { constants } from "node:os";
import process from "node:process";
import { expect, test } from "vitest";
import { stopWhenSignal } from "../../../src/process/internal.ts";
import { Gate } from "../../support/gate.ts";

const never = new Promise<never>(() => undefined);

test("a second signal that comes while the stop begins does not kill the process, and hurries the stop", async () => {
  const before = process.listenerCount("SIGUSR2");
  const hurried = new Gate();
  const exitCodes: number[] = [];
  const stop = () => {
    // Without a listener the signal would end this process.
    expect(process.listenerCount("SIGUSR2")).toBe(before + 1);
    process.kill(process.pid, "SIGUSR2");
    return hurried.opened;
  };
  const stopped = stopWhenSignal(
    { signals: ["SIGUSR2"], exit: (code) => exitCodes.push(code) },
    { ended: never, stop, hurry: () => hurried.open() },
  );
  process.kill(process.pid, "SIGUSR2");
  await stopped;
  expect(exitCodes).toEqual([128 + constants.signals.SIGUSR2]);
  expect(process.listenerCount("SIGUSR2")).toBe(before);
});

test("a stop that fails rejects, and leaves no listener behind", async () => {
  const before = process.listenerCount("SIGUSR2");
  const failed = stopWhenSignal(
    { signals: ["SIGUSR2"] },
    { ended: Promise.resolve(), stop: () => Promise.reject(new Error("no")), hurry: () => undefined },
  );
  await expect(failed).rejects.toThrow("no");
  expect(process.listenerCount("SIGUSR2")).toBe(before);
});
