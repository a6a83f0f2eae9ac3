import process from "node:process";
import { Command } from "commander";
import { GrpcWorkerAgentRuntimeHost } from "../../grpc/index.ts";
import { keepHeapRoom } from "../../host/internal.ts";
import { consoleLogger } from "../../telemetry/internal.ts";
import { addHostFlags, type HostFlags, hostOptionsOf } from "./host-flags.ts";

/** `troupe host`: a host in this process until SIGTERM or SIGINT, then a drained exit with 0; a second signal ends it at once. */
export function hostCommand(): Command {
  return addHostFlags(
    new Command("host").description("Start a host that TypeScript, Python and .NET workers connect to"),
  ).action(async (flags: HostFlags) => {
    await runHost(flags);
  });
}

async function runHost(flags: HostFlags): Promise<void> {
  keepHeapRoom();
  const host = new GrpcWorkerAgentRuntimeHost(flags.address, {
    ...hostOptionsOf(flags),
    logger: consoleLogger({ level: flags.logLevel }),
  });
  await host.start();
  // Signals count from the moment that the line below can be read.
  const stopped = host.stopWhenSignal({ graceMs: flags.graceSeconds * 1_000 });
  process.stdout.write(`troupe host listening on ${host.address}\n`);
  await stopped;
}
