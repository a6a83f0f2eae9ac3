import process from "node:process";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Host } from "../../../src/host/index.ts";
import { grpcDialer, grpcListener } from "../../../src/transport/index.ts";
import { WorkerRuntime } from "../../../src/worker/index.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { startRig } from "../../support/worker/worker-rig.ts";

const warnings: Error[] = [];
const onWarning = (warning: Error) => warnings.push(warning);
beforeEach(() => void process.on("warning", onWarning));
afterEach(async () => {
  await new Promise((resolve) => setImmediate(resolve));
  process.off("warning", onWarning);
  expect(warnings.splice(0)).toEqual([]);
});

test("a worker with twelve agent types starts without a warning of Node", async () => {
  const host = new Host({ listener: grpcListener(), address: "127.0.0.1:0" });
  await host.start();
  const worker = new WorkerRuntime({ dialer: grpcDialer(), address: host.address });
  for (let at = 0; at < 12; at += 1) await worker.registerFactory(`t${at}`, () => new FunctionAgent());
  const { signal } = new AbortController();
  await worker.start({ signal });
  await Promise.all(
    Array.from({ length: 12 }, (_, at) => worker.registerFactory(`late${at}`, () => new FunctionAgent(), { signal })),
  );
  await worker.stop({ signal });
  await host.stop({ graceMs: 0 });
});

test("twelve workers that stop at a process signal have one listener for it, and none when they have stopped", async () => {
  await using rig = await startRig();
  const before = process.listenerCount("SIGUSR2");
  const workers = await Promise.all(Array.from({ length: 12 }, () => rig.worker()));
  const ended = workers.map((worker) => worker.stopWhenSignal({ signals: ["SIGUSR2"] }));
  expect(process.listenerCount("SIGUSR2")).toBe(before + 1);
  process.emit("SIGUSR2", "SIGUSR2");
  await Promise.all(ended);
  expect(process.listenerCount("SIGUSR2")).toBe(before);
  expect(workers.map(({ isRunning }) => isRunning)).toEqual(Array(12).fill(false));
});
