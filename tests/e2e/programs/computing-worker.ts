// A worker that computes for longer than its host may be silent: computing-worker.ts ADDRESS HEARTBEAT_MS
import process from "node:process";
import { AgentId, defineMessage } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import * as z from "zod";
import { block, computeInPieces } from "./compute.ts";

const [, , address = "", heartbeatMs = ""] = process.argv;
const Ask = defineMessage("Ask", z.object({ text: z.string() }));
const keepAlive = { keepAliveMs: 50, keepAliveTimeoutMs: 300, heartbeatMs: Number(heartbeatMs) };
const worker = new GrpcWorkerAgentRuntime(address, { ...keepAlive, reconnect: { initialDelayMs: 0 } });
worker.addMessageSerializer(Ask);
await worker.start();
const call = (text: string, timeoutMs: number) =>
  worker.sendMessage(Ask({ text }), new AgentId("echo", "k"), { timeoutMs }).then(
    () => "answered",
    (error: unknown) => String(error),
  );
await call("warm", 10_000);
// Pieces that are shorter than the time of the host, but a question needs several turns for its way; then longer ones.
await computeInPieces(6, 200, 1);
await computeInPieces(3, 700, 4);
// The answer comes after this line, while the loop is blocked. The time of the call passes in the same block.
const outcome = call("hello", 300);
await computeInPieces(1, 0, 5);
process.stdout.write("computing\n");
block(600);
process.stdout.write(`${JSON.stringify({ reconnections: worker.counters().reconnections, call: await outcome })}\n`);
await worker.stop();
