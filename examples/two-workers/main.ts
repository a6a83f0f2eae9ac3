// Two workers: a caller in this process calls an agent in another process, through a host. Workers know only the host's address, and
// agents know only each other's ids. A call to a type that no worker serves fails immediately, with an error that says what to do.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { extname, join } from "node:path";
import { AgentId, UndeliverableException } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { Question } from "./messages.ts";

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();

const workerFile = join(import.meta.dirname, `worker${extname(import.meta.filename)}`);
const worker = fork(workerFile, [host.address]);
worker.once("exit", (code) => assert.equal(code, 0, "the worker failed"));
await once(worker, "message"); // it says "ready"

await using runtime = new GrpcWorkerAgentRuntime(host.address);
await runtime.start();
const sender = new AgentId("pilgrim", "1");

const answer = await runtime.sendMessage(Question({ text: "why?" }), new AgentId("oracle", "delphi"), { sender });
console.log(`process ${process.pid} asked; answer: ${answer.text}`);
assert.equal(answer.text, `Dear pilgrim, "why?" is a good question. (process ${worker.pid})`);

const toNobody = runtime.sendMessage(Question({ text: "anybody?" }), new AgentId("nobody", "here"));
await assert.rejects(toNobody, (error) => {
  assert(error instanceof UndeliverableException);
  console.log(`nobody serves "nobody": ${error.message}`);
  return true;
});

worker.kill("SIGTERM");
const [code] = await once(worker, "exit");
console.log(`the worker drained and ended with code ${code}`);
