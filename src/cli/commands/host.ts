import process from "node:process";
import { Command } from "commander";
import { errorText } from "../../core/internal.ts";
import { GrpcWorkerAgentRuntimeHost } from "../../grpc/internal.ts";
import { keepHeapRoom } from "../../host/internal.ts";
import { consoleLogger } from "../../telemetry/internal.ts";
import { exposureWarning } from "./exposure.ts";
import { followTlsFiles } from "./follow-tls-files.ts";
import { addHostFlags, type HostFlags, hostOptionsOf } from "./host-flags.ts";

/**
 * The command `troupe host`. It runs a host in this process until SIGTERM, SIGINT or SIGHUP. Then it drains the host, and its exit
 * code is 0: success. A second process signal ends the drain at once; the exit code is then 128 plus its number.
 */
export function hostCommand(): Command {
  return addHostFlags(
    new Command("host").description("Start a host that TypeScript, Python and .NET workers connect to"),
  ).action(async (flags: HostFlags) => {
    await runHost(flags);
  });
}

async function runHost(flags: HostFlags): Promise<void> {
  keepHeapRoom();
  const logger = consoleLogger({ level: flags.logLevel });
  const host = new GrpcWorkerAgentRuntimeHost(flags.address, { ...hostOptionsOf(flags), logger });
  await host.start();
  const stopFollowing = followTlsFiles(flags, {
    onChanged: (tls) => {
      host.reloadTls(tls);
      logger.info("new connections get the renewed certificate");
    },
    onBad: (error) =>
      logger.error("the renewed certificate cannot be served; the old one stays", { error: errorText(error) }),
  });
  // The host obeys process signals from the moment in which the line below can be read.
  const stopped = host.stopWhenSignal({ graceMs: flags.graceSeconds * 1_000 });
  process.stdout.write(`troupe host listening on ${host.address}\n`);
  const warning = exposureWarning(host.address, flags);
  if (warning !== undefined) logger.warn(warning, { address: host.address });
  await stopped;
  stopFollowing();
  // Nothing that still holds the event loop may keep a stopped host alive.
  process.exit(0);
}
