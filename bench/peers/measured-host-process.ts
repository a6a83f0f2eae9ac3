// A host as `troupe host` runs it, which reports its memory and how long it was blocked: `measured-host-process
// [SERVERS]`, with --expose-gc. SERVERS: the NATS servers of its cluster.
import { monitorEventLoopDelay } from "node:perf_hooks";
import { GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { keepHeapRoom } from "troupe/host";
import { openNatsStore } from "troupe/nats";
import { commands, tell } from "../support/peer-commands.ts";

interface Command {
  readonly do: "measure";
  readonly collectGarbage: boolean;
}

/** Interval of the event-loop monitor, in milliseconds. */
const resolutionMs = 1;

keepHeapRoom();
const [servers] = process.argv.slice(2);
const cluster = servers === undefined ? undefined : { store: await openNatsStore(servers), peerAddress: "127.0.0.1:0" };
const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { cluster });
await host.start();
const delays = monitorEventLoopDelay({ resolution: resolutionMs });
delays.enable();
process.on("SIGTERM", () => process.exit(0));
tell("ready", { address: host.address });
for await (const { collectGarbage } of commands<Command>()) {
  const maxBlockedMs = Math.max(0, delays.max / 1e6 - resolutionMs);
  if (collectGarbage) globalThis.gc?.();
  const { rss, heapUsed, external } = process.memoryUsage();
  tell("measured", { rss, heapUsed, external, maxBlockedMs, counters: host.counters() });
  delays.reset();
}
process.exit(0);
