// Persistent counter: a state that outlives `kill -9`. While 200 calls add 1 each, the worker is killed, then the host, then both, and each is
// started again. The host keeps the states in a SQLite file. A call whose outcome is unknown is sent again with its key, and counts once.
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { AgentId, TroupeError } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { troupeCommand } from "../support/command-line.ts";
import { type RunningProgram, startProgram } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { Add } from "./messages.ts";

const counter = new AgentId("counter", "main");
await using folder = await temporaryFolder();
let host: RunningProgram | undefined;
let worker: RunningProgram | undefined;
try {
  host = startHost("127.0.0.1:0");
  const address = /127\.0\.0\.1:\d+/.exec(await host.line("127.0.0.1:"))?.[0] ?? "";
  worker = startWorker(address);
  await using caller = new GrpcWorkerAgentRuntime(address, { reconnect: { initialDelayMs: 20, maxDelayMs: 200 } });
  await caller.start();

  let additions = 0;
  let again = 0;
  /** Adds 1 after 1, until `count` additions were answered. */
  const addUpTo = async (count: number) => {
    while (additions < count) {
      again += await addOne(caller, `addition-${additions + 1}`);
      additions += 1;
    }
  };
  const killWorker = async () => {
    await worker?.kill();
    console.log(`kill -9 of the worker (addition ${additions + 1} is under way)`);
    worker = startWorker(address);
  };
  const killHost = async () => {
    await host?.kill();
    console.log(`kill -9 of the host (addition ${additions + 1} is under way)`);
    host = startHost(address);
  };

  await addUpTo(20);
  await Promise.all([addUpTo(80), killWorker()]);
  await Promise.all([addUpTo(140), killHost()]);
  await Promise.all([addUpTo(200), killHost(), killWorker()]);

  const { value } = await caller.sendMessage(Add({ value: 0 }), counter);
  console.log(`200 additions, ${again} sent again: the total is ${value}`);
  assert.equal(value, 200);

  await caller.stop();
  assert.deepEqual([await worker.stop(), await host.stop()], [0, 0]);
} finally {
  await Promise.all([worker?.kill(), host?.kill()]);
}

/** Adds 1. Sends the call again, with the same key, as long as its outcome is unknown. Returns how often it did. */
async function addOne(runtime: GrpcWorkerAgentRuntime, idempotencyKey: string): Promise<number> {
  for (let failures = 0; ; failures += 1) {
    try {
      await runtime.sendMessage(Add({ value: 1 }), counter, { idempotencyKey, waitForTarget: 30_000 });
      return failures;
    } catch (error) {
      if (!(error instanceof TroupeError) || failures === 100) throw error;
      if (error.code !== "disconnected" && error.code !== "state-unknown") throw error;
      await pause(50);
    }
  }
}

function startHost(address: string): RunningProgram {
  const state = `sqlite:${join(folder.path, "state.db")}`;
  return startProgram(troupeCommand(), ["host", "--address", address, "--state", state], { onLine: () => {} });
}

function startWorker(address: string): RunningProgram {
  const file = import.meta.filename.replace(/main(\.\w+)$/, "worker$1");
  return startProgram(file, [address], { onLine: (line) => console.log(`worker: ${line}`) });
}
