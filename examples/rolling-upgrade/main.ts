// Rolling upgrade: two workers of an old program give way to two of a new one, while payments go on. Each wallet is in one worker at a time. Its
// state comes along, and the new program migrates it. No payment fails, and none is lost or counts twice.
import assert from "node:assert/strict";
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { startProgram } from "../support/processes.ts";
import { Pay } from "./messages.ts";

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0"); // keeps states in memory
await host.start();
await using old1 = startWorker("worker-1", "old-1");
await using old2 = startWorker("worker-1", "old-2");
for (const worker of [old1, old2]) await worker.line("ready");

await using caller = new GrpcWorkerAgentRuntime(host.address);
await caller.start();
const wallets = Array.from({ length: 12 }, (_, i) => `wallet-${i + 1}`);
/** Payments to each wallet that were answered. */
const paid = new Map(wallets.map((wallet) => [wallet, 0]));
/** Pays one cent. `waitForTarget` waits for a worker while the wallet moves, and the key makes it safe to send a payment again. */
const pay = async (wallet: string) => {
  const number = (paid.get(wallet) ?? 0) + 1;
  const options = { waitForTarget: 10_000, idempotencyKey: `${wallet} ${number}` };
  const balance = await caller.sendMessage(Pay({ cents: 1 }), new AgentId("wallet", wallet), options);
  paid.set(wallet, number);
  return balance;
};
let isUpgraded = false;
const payAll = async (wallet: string) => {
  while (!isUpgraded) await pay(wallet);
};

const before = await Promise.all(wallets.map(pay));
for (const { text, version } of before) assert.deepEqual({ text, version }, { text: "1 cents", version: "1.0" });

// Payments to all wallets go on, one after the other, until the upgrade is over.
const payments = Promise.all(wallets.map(payAll));
await using new1 = startWorker("worker-2", "new-1");
await new1.line("ready");
// From now on new wallets go to the newest version, and so do those of a worker that stops.
// An operator drains the worker: its wallets move, and then it stops by itself.
const { workers } = await host.inspect();
const old1Id = workers.find(({ name }) => name === "old-1")?.workerId ?? "";
const { at } = await host.drainWorker(old1Id);
assert(at === "drained" || at === "gone");
assert.equal(await old1.ended, 0);
console.log("old-1 was drained, and has stopped");
await using new2 = startWorker("worker-2", "new-2");
await new2.line("ready");
assert.equal(await old2.stop(), 0); // SIGTERM does the same
console.log("old-2 has stopped");
isUpgraded = true;
await payments;

for (const wallet of wallets) {
  const { text, version } = await pay(wallet);
  const count = paid.get(wallet) ?? 0;
  assert.deepEqual({ text, version }, { text: `${(count / 100).toFixed(2)} EUR`, version: "2.0" });
}
console.log(`${wallets.length} wallets have been upgraded while payments went on; none failed, and each counts once`);

await caller.stop();
assert.deepEqual([await new1.stop(), await new2.stop()], [0, 0]);

function startWorker(program: "worker-1" | "worker-2", name: string) {
  const file = import.meta.filename.replace(/main(\.\w+)$/, `${program}$1`);
  return startProgram(file, [name, host.address], { onLine: (line) => console.log(`${name}: ${line}`) });
}
