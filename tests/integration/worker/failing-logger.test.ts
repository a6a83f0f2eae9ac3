import { expect, test } from "vitest";
import type { Logger } from "../../../src/core/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { FakeDialer } from "../../support/worker/fake-dialer.ts";
import { until } from "../../support/worker/stage.ts";

const fail = () => {
  throw new Error("The disk is full.");
};
const failing: Logger = { debug: fail, info: fail, warn: fail, error: fail };

test("a worker whose logger throws connects again after it has lost its host, and stops", async () => {
  const dialer = new FakeDialer();
  const reconnect = { initialDelayMs: 1, maxDelayMs: 1 };
  const worker = new WorkerRuntime({ address: "h:1", dialer, reconnect, logger: failing, halfCloseWaitMs: 1 });
  await worker.start();
  dialer.link(1).end({ by: "connection-lost", reason: "The cable is out." });
  await until(worker, "waiting");
  await until(worker, "connected");
  expect(dialer.links).toHaveLength(2);
  const { closed } = worker;
  await worker.stop();
  expect(await closed).toEqual({ by: "stopped" });
});

test("a worker whose logger returns a rejected promise breaks nothing", async () => {
  const rejected: string[] = [];
  const reject = (text: string) => {
    rejected.push(text);
    return Promise.reject(new Error("The disk is full."));
  };
  const logger: Logger = { debug: reject, info: reject, warn: reject, error: reject };
  const dialer = new FakeDialer();
  const worker = new WorkerRuntime({ address: "h:1", dialer, logger, reconnect: false, halfCloseWaitMs: 1 });
  await worker.start();
  dialer.link(1).end({ by: "connection-lost", reason: "The cable is out." });
  await until(worker, "closed");
  await worker.stop();
  expect(rejected).not.toEqual([]);
});
