import process from "node:process";
import { Command, InvalidArgumentError, Option } from "commander";
import { GrpcWorkerAgentRuntimeHost } from "../../grpc/index.ts";
import { consoleLogger, type LogLevel } from "../../telemetry/index.ts";

interface HostFlags {
  readonly address: string;
  readonly callTimeoutMs: number;
  readonly graceSeconds: number;
  readonly maxMessageBytes: number | undefined;
  readonly stockPeerMaxBytes: number | undefined;
  readonly legacyWorkers: boolean;
  readonly logLevel: LogLevel;
  readonly allowMultipleOwners: boolean;
}

/** `troupe host`: a host in this process until SIGTERM or SIGINT, then a drained exit with 0. */
export function hostCommand(): Command {
  return new Command("host")
    .description("Start a host that TypeScript, Python and .NET workers connect to")
    .option("--address <host:port>", "where to listen; port 0 takes a free one", "127.0.0.1:50051")
    .option(
      "--call-timeout-ms <ms>",
      "answer a call with an error after this time; 0 waits for ever",
      wholeNumber,
      300_000,
    )
    .option("--grace-seconds <seconds>", "how long streams may take to end when the host stops", wholeNumber, 5)
    .option("--max-message-bytes <bytes>", "longest message taken (default: 64 MiB)", wholeNumber)
    .option(
      "--stock-peer-max-bytes <bytes>",
      "longest message sent to workers on stock gRPC libraries (Python, .NET), which take 4 MiB unless told otherwise; 0: any",
      wholeNumber,
    )
    .option("--no-legacy-workers", "refuse workers of autogen-ext 0.4.0 to 0.4.3")
    .option("--allow-multiple-owners", "let several workers serve one agent type", false)
    .addOption(
      new Option("--log-level <level>", "the least that is written to standard error")
        .choices(["debug", "info", "warn", "error"])
        .default("warn"),
    )
    .action(async (flags: HostFlags) => {
      await runHost(flags);
    });
}

async function runHost(flags: HostFlags): Promise<void> {
  const host = new GrpcWorkerAgentRuntimeHost(flags.address, {
    logger: consoleLogger({ level: flags.logLevel }),
    callTimeoutMs: flags.callTimeoutMs,
    acceptLegacyWorkers: flags.legacyWorkers,
    allowMultipleOwners: flags.allowMultipleOwners,
    ...(flags.stockPeerMaxBytes === undefined ? {} : { stockPeerMaxBytes: flags.stockPeerMaxBytes }),
    channelOptions: flags.maxMessageBytes === undefined ? {} : { maxReceiveMessageBytes: flags.maxMessageBytes },
  });
  await host.start();
  // Signals count from the moment that the line below can be read.
  const stopped = host.stopWhenSignal(flags.graceSeconds);
  process.stdout.write(`troupe host listening on ${host.address}\n`);
  await stopped;
}

function wholeNumber(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new InvalidArgumentError("Not a whole number.");
  return Number(text);
}
