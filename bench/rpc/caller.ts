// The caller process: `caller ADDRESS`. An agent's calls through `troupe/grpc`.
import { AgentId } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { serveCallRounds } from "../support/call-rounds.ts";
import { mostBytesUnderWay } from "./contenders.ts";
import { contentOf, Ping } from "./messages.ts";

const [address = ""] = process.argv.slice(2);
const target = new AgentId("target", "1");
const sender = new AgentId("caller", "1");
const runtime = new GrpcWorkerAgentRuntime(address, { maxOutboxBytes: mostBytesUnderWay });
await runtime.start();
runtime.addMessageSerializer(Ping);
await serveCallRounds((payloadBytes) => {
  const content = contentOf(payloadBytes);
  return () => runtime.sendMessage(Ping({ content }), target, { sender });
});
