// A worker whose handler never answers, and which says when it handles something: slow-worker.ts <address>
import process from "node:process";
import { TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";

const [address = ""] = process.argv.slice(2);
const worker = new GrpcWorkerAgentRuntime(address, { heartbeatMs: 600_000, keepAliveMs: 600_000 });
worker.addMessageSerializer(MyMessage);
await worker.registerFactory("slow", () => {
  return new FunctionAgent(() => {
    process.stdout.write("handling\n");
    return new Promise(() => undefined);
  });
});
await worker.addSubscription(new TypeSubscription("t", "slow"));
await worker.start();
process.stdout.write("serving\n");
