import process from "node:process";
import { Command } from "commander";
import { type CronPatterns, errorText, type Logger, MemoryStateStore, type StateStore } from "../../core/internal.ts";
import { GrpcWorkerAgentRuntimeHost } from "../../grpc/internal.ts";
import { keepHeapRoom, operationsOf } from "../../host/internal.ts";
import { stopWhenSignal } from "../../process/internal.ts";
import { consoleLogger } from "../../telemetry/internal.ts";
import { parseAddress } from "../../transport/internal.ts";
import { assertAdminFlags, type OpenedAdmin, openAdmin } from "../admin/open-admin.ts";
import { shownSettings } from "../admin/shown-settings.ts";
import { LogOutput } from "../lost-output.ts";
import { settingsHelp } from "../settings/config-flags.ts";
import {
  defaultStateFile,
  openDefaultState,
  openState,
  type StateLocation,
  withAdvice,
} from "../state/state-location.ts";
import { assertClusterFlags, openCluster, settingsOf } from "./cluster-flags.ts";
import { authenticatorOf, quotasOf, rulesOf, whyExposed } from "./host-authenticator.ts";
import { addHostFlags, assertStateFlags, type HostFlags, hostOptionsOf } from "./host-flags.ts";
import { withQuotaFlags } from "./limit-flags.ts";
import { followTlsFiles, tlsOf } from "./tls-files.ts";

/**
 * The command `troupe host`. It runs a host in this process until SIGTERM, SIGINT or SIGHUP. Then it drains the host, or calls its start off,
 * and its exit code is 0: success. A second process signal ends the drain at once; the exit code is then 128 plus its number.
 */
export function hostCommand(version: string): Command {
  return addHostFlags(
    new Command("host").description("Start a host that TypeScript, Python and .NET workers connect to"),
  )
    .addHelpText("after", settingsHelp("host"))
    .action(async (flags: HostFlags, command: Command) => {
      assertStateFlags(command);
      assertClusterFlags(command);
      await runHost(flags, version);
    });
}

async function runHost(flags: HostFlags, version: string): Promise<void> {
  keepHeapRoom();
  const logger = await loggerOf(flags);
  // A text that is not an address leaves no file of states behind.
  parseAddress(flags.address);
  assertAdminFlags(flags);
  if (flags.cluster !== undefined) settingsOf(flags);
  const [starting, hurry] = [new AbortController(), new AbortController()];
  const started = startHost(flags, { version, logger, signal: starting.signal });
  const running = started.catch(() => undefined);
  // The command obeys process signals from here on, also while the host starts.
  const stopped = stopWhenSignal(
    {},
    {
      ended: running.then((run) => run?.host.closed ?? never),
      stop: async () => {
        starting.abort(new Error("The host is stopped before it is ready."));
        const run = await atMost(running, startPatienceMs, hurry.signal);
        await run?.host.stop({ graceMs: flags.graceSeconds * 1_000, signal: hurry.signal });
      },
      hurry: () => hurry.abort(),
    },
  );
  const run = await Promise.race([started, stopped]).catch((error: unknown) => {
    if (!starting.signal.aborted) throw error;
  });
  if (run === undefined || starting.signal.aborted) logger.info("the host is stopped before it is ready");
  else sayReady(run, flags, logger);
  await stopped;
  await run?.end();
  // Nothing that still holds the event loop may keep a stopped host alive.
  process.exit(0);
}

/** Text for people in a terminal, else JSON for programs. Both write synchronously, so that no line is lost with the process. */
async function loggerOf({ logLevel: level, logFormat, name }: HostFlags): Promise<Logger> {
  const format = logFormat ?? (process.stderr.isTTY ? "text" : "json");
  const output = new LogOutput(process.stderr);
  if (format === "text") {
    output.logger = consoleLogger({ level, write: (line) => output.write(`${line}\n`) });
  } else {
    const { jsonLogger } = await import("../json-logger.ts");
    const base = { pid: process.pid, host: name };
    output.logger = jsonLogger({ level, base, write: (line) => output.write(line) });
  }
  return output.logger;
}

/** Milliseconds that a start has to end which a process signal calls off. */
const startPatienceMs = 2_000;
const never = new Promise<never>(() => {});

/** Resolves as `promise` does; to undefined when the time is up or the signal aborts first. Keeps the process alive. */
async function atMost<T>(promise: Promise<T>, ms: number, signal: AbortSignal): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, ms, undefined);
    signal.addEventListener("abort", () => resolve(undefined), { once: true });
  });
  try {
    return await Promise.race([promise, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** A host that serves, and what the command has opened around it. */
interface HostRun {
  readonly host: GrpcWorkerAgentRuntimeHost;
  readonly admin: OpenedAdmin | undefined;
  /** The protection that the address lacks, though `--insecure` allows that. Undefined: none. */
  readonly exposed: string | undefined;
  /** Ends what is around a host that has stopped. */
  end(): Promise<void>;
}

interface StartParts {
  readonly version: string;
  readonly logger: Logger;
  /** Calls the start off: it rejects with the reason, and nothing stays open. */
  readonly signal: AbortSignal;
}

async function startHost(flags: HostFlags, { version, logger, signal }: StartParts): Promise<HostRun> {
  const authenticator = await authenticatorOf(flags, { environment: process.env, logger });
  const why = whyExposed(flags.address, flags, authenticator);
  if (why !== undefined && !flags.insecure) throw new Error(`${why}, or use --insecure.`);
  const rules = await rulesOf(flags, { authenticator, logger });
  const quotas = withQuotaFlags(await quotasOf(flags, logger), flags);
  const opened = await openCluster(flags, logger);
  const { store: stateStore, location } = await openStore(flags, logger);
  const cron = await installedCron();
  const cluster = opened?.options;
  const options = { ...hostOptionsOf(flags), authenticator, rules, quotas, stateStore, cron, logger, cluster };
  const host = new GrpcWorkerAgentRuntimeHost(flags.address, options);
  const open = (): Promise<OpenedAdmin | undefined> =>
    openAdmin(flags, {
      ...{ host: operationsOf(host.servicer), version, location, logger, authenticator, rules },
      tls: tlsOf(flags).tls,
      settings: shownSettings({ ...flags }),
      get address() {
        return host.address;
      },
      inspectStore: opened && (() => opened.inspectStore()),
    });
  let admin: OpenedAdmin | undefined;
  try {
    // A probe that knows the address may ask while the host starts.
    if (typeof flags.admin === "string") admin = await open();
    await host.start({ signal });
    admin ??= await open();
    await admin?.announce();
  } catch (error) {
    await admin?.close();
    await host.stop({ graceMs: 0 });
    await stateStore?.close();
    await opened?.close();
    throw withAdvice(error, { inUse: "Or take it over: --take-over." });
  }
  const stopFollowing = followTlsFiles(flags, {
    onChanged: (tls) => {
      host.reloadTls(tls);
      admin?.reloadTls(tls);
      logger.info("new connections get the renewed certificate");
    },
    onBad: (error) =>
      logger.error("the renewed certificate cannot be served; the old one stays", { error: errorText(error) }),
    onEnding: ({ validTo, days }) => {
      if (days < 0) logger.error("the certificate of --tls-cert has expired: clients refuse it", { validTo });
      else logger.warn("the certificate of --tls-cert ends soon", { validTo, days });
    },
  });
  const end = async (): Promise<void> => {
    stopFollowing();
    await admin?.close();
    await opened?.close();
  };
  return { host, admin, exposed: why, end };
}

function sayReady({ host, admin, exposed }: HostRun, flags: HostFlags, logger: Logger): void {
  process.stdout.write(`troupe host listening on ${host.address}\n`);
  if (admin !== undefined && flags.admin !== undefined) process.stdout.write(`troupe admin on ${admin.url}\n`);
  if (admin !== undefined && flags.ui) process.stdout.write(`troupe page on ${admin.url}/\n`);
  if (exposed !== undefined) logger.warn(`${exposed}; anybody who reaches it may join and read messages`);
}

/**
 * Opens the state store that the flags name. Without a name and without SQLite it is in memory, and a line of the log says so. A host of a
 * cluster has none without a name.
 */
async function openStore(
  { state, synchronous, cluster }: HostFlags,
  logger: Logger,
): Promise<{ readonly store: StateStore | undefined; readonly location: StateLocation }> {
  const writers = cluster === undefined ? "one" : "many";
  if (state !== undefined) return { store: await openState(state, { synchronous, writers }), location: state };
  if (cluster !== undefined) return { store: undefined, location: { kind: "memory" } };
  const store = await openDefaultState({ synchronous }, (why) =>
    logger.warn(`states of agents are kept in memory and are lost with the host: ${why}`, { state: "memory:" }),
  );
  const isInMemory = store instanceof MemoryStateStore;
  return { store, location: isInMemory ? { kind: "memory" } : { kind: "sqlite", file: defaultStateFile } };
}

/** Returns the cron patterns of `troupe/cron`. Undefined: `croner` is not installed, and the host refuses reminders with such patterns. */
export async function installedCron(
  importCron: () => Promise<{ readonly cronPatterns: CronPatterns }> = () => import("../../cron/index.ts"),
): Promise<CronPatterns | undefined> {
  try {
    return (await importCron()).cronPatterns;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND") return undefined;
    throw error;
  }
}
