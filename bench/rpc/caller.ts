// The caller process: `caller ADDRESS`. On { seconds, inFlight } it keeps that many calls under way and tells the figures.
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { LatencyRecorder } from "../support/latencies.ts";
import { commands, tell } from "../support/peer-commands.ts";
import { Ping, payloadText } from "./messages.ts";

interface RoundCommand {
  readonly seconds: number;
  readonly inFlight: number;
}

const [address = ""] = process.argv.slice(2);
const target = new AgentId("target", "1");
const sender = new AgentId("caller", "1");
const runtime = new GrpcWorkerAgentRuntime(address);
await runtime.start();
runtime.addMessageSerializer(Ping);
tell("ready");

for await (const { seconds, inFlight } of commands<RoundCommand>()) {
  const latencies = new LatencyRecorder();
  const startedMs = performance.now();
  const endMs = startedMs + seconds * 1000;
  let calls = 0;

  const keepCalling = async () => {
    for (let nowMs = performance.now(); nowMs < endMs; ) {
      await runtime.sendMessage(Ping({ content: payloadText }), target, { sender });
      const answeredMs = performance.now();
      latencies.record((answeredMs - nowMs) * 1000);
      calls += 1;
      nowMs = answeredMs;
    }
  };
  await Promise.all(Array.from({ length: inFlight }, keepCalling));
  const elapsedSeconds = (performance.now() - startedMs) / 1000;
  tell("round", { perSecond: calls / elapsedSeconds, ...latencies.summary() });
}
process.exit(0);
