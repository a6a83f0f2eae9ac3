// A host that computes for longer than its pings and its workers wait: computing-host.ts
import process from "node:process";
import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { computeInPieces } from "./compute.ts";

const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", {
  channelOptions: { pingIntervalMs: 50, pingTimeoutMs: 300 },
});
await host.start();
process.once("SIGUSR2", async () => {
  await computeInPieces(6, 200, 1);
  await computeInPieces(3, 700, 4);
  process.stdout.write("computed\n");
});
process.stdout.write(`listening on ${host.address}\n`);
