import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import process from "node:process";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { CoordinationReport, CoordinationStore } from "../../cluster/internal.ts";
import { type DurableLog, errorText, type Logger, loggableText, TroupeError } from "../../core/internal.ts";
import type { GrpcWorkerAgentRuntimeHostOptions } from "../../grpc/internal.ts";
import { parseAddress } from "../../transport/internal.ts";
import { wholeNumber } from "../whole-number.ts";
import { readPem } from "./tls-files.ts";

/** Flags of `troupe host` about its cluster. */
export interface ClusterFlags {
  /** The NATS servers. Undefined: the host is alone. */
  readonly cluster?: string;
  readonly clusterName: string;
  readonly peerAddress?: string;
  readonly advertisePeer?: string;
  readonly advertiseWorkers?: string;
  readonly peerTlsCert?: string;
  readonly peerTlsKey?: string;
  readonly peerTlsCa?: string;
  /** The file of the secret. */
  readonly peerSecret?: string;
  readonly leaseMs?: number;
  readonly workerLeaseMs?: number;
  readonly maxRoutes?: number;
  readonly moveTimeoutMs?: number;
  readonly balanceWorkers: boolean;
  readonly maxPeerQueuedBytes?: number;
  readonly maxPeerQueuedFrames?: number;
  /** Files of the login at the NATS servers, and of TLS towards them. */
  readonly natsCredentials?: string;
  readonly natsTlsCa?: string;
  readonly natsTlsCert?: string;
  readonly natsTlsKey?: string;
}

/** Environment variables that stand for flags with something secret. */
export const secretVariable = "TROUPE_PEER_SECRET";
export const serversVariable = "TROUPE_CLUSTER";

/** Adds the flags of `troupe host` about its cluster. */
export function addClusterFlags(command: Command): Command {
  return addNatsFlags(addOwnFlags(command));
}

function addOwnFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--cluster <servers>",
        "join the cluster that these NATS servers keep together: nats://n1:4222,n2:4222,n3:4222 (default: the host is alone)",
      ).env(serversVariable),
    )
    .option("--cluster-name <name>", "which cluster: a-z, 0-9 and -", clusterName, "troupe")
    .option(
      "--peer-address <host:port>",
      "where to listen for the other hosts (default: the port after the one of --address)",
      address,
    )
    .option(
      "--advertise-peer <host:port>",
      "where other hosts reach --peer-address, if that is another address",
      address,
    )
    .option("--advertise-workers <host:port>", "where workers reach --address, if that is another address", address)
    .option("--peer-tls-cert <file>", "certificate (PEM) by which the other hosts know this one")
    .option("--peer-tls-key <file>", "its private key (PEM)")
    .option("--peer-tls-ca <file>", "authority (PEM) of the certificates of all hosts")
    .option(
      "--peer-secret <file>",
      `file with a secret that all hosts share, in place of certificates; or the secret itself in ${secretVariable}`,
    )
    .option(
      "--lease-ms <ms>",
      "time after which a host that is silent counts as dead; the same at all hosts (default: 20000)",
      wholeNumber(3_000, 3_600_000),
    )
    .option(
      "--worker-lease-ms <ms>",
      "time for which a host lets a worker begin turns; the same at all hosts (default: 3000)",
      wholeNumber(500, 60_000),
    )
    .option(
      "--max-routes <count>",
      "agents of shared types at other hosts whose places the host remembers (default: 1000000)",
      wholeNumber(0, 10_000_000),
    )
    .option(
      "--move-timeout-ms <ms>",
      "how long a worker may take to let an agent go that moves to another worker (default: 30000)",
      wholeNumber(100, 3_600_000),
    )
    .option("--no-balance-workers", "never ask workers to go to hosts of the cluster that have fewer")
    .option(
      "--max-peer-queued-bytes <bytes>",
      "what may wait for one other host (default: 64 MiB)",
      wholeNumber(1_024, 4 * 1_024 ** 3),
    )
    .option(
      "--max-peer-queued-frames <count>",
      "messages that may wait for one other host (default: 200000)",
      wholeNumber(16, 10_000_000),
    );
}

/** Adds the flags of the connection to NATS. */
export function addNatsFlags(command: Command): Command {
  return command
    .option("--nats-credentials <file>", "credentials (.creds) for the NATS servers")
    .option("--nats-tls-ca <file>", "authority (PEM) of the NATS servers' certificates")
    .option("--nats-tls-cert <file>", "certificate (PEM) for the NATS servers; needs --nats-tls-key")
    .option("--nats-tls-key <file>", "its private key (PEM)");
}

const flagsOfCluster: readonly (readonly [name: string, flag: string])[] = [
  ["clusterName", "--cluster-name"],
  ["peerAddress", "--peer-address"],
  ["advertisePeer", "--advertise-peer"],
  ["advertiseWorkers", "--advertise-workers"],
  ["peerTlsCert", "--peer-tls-cert"],
  ["peerTlsKey", "--peer-tls-key"],
  ["peerTlsCa", "--peer-tls-ca"],
  ["peerSecret", "--peer-secret"],
  ["leaseMs", "--lease-ms"],
  ["workerLeaseMs", "--worker-lease-ms"],
  ["maxRoutes", "--max-routes"],
  ["moveTimeoutMs", "--move-timeout-ms"],
  ["balanceWorkers", "--no-balance-workers"],
  ["maxPeerQueuedBytes", "--max-peer-queued-bytes"],
  ["maxPeerQueuedFrames", "--max-peer-queued-frames"],
  ["natsCredentials", "--nats-credentials"],
  ["natsTlsCa", "--nats-tls-ca"],
  ["natsTlsCert", "--nats-tls-cert"],
  ["natsTlsKey", "--nats-tls-key"],
];

/** Throws `invalid-argument` for a flag that says nothing without a cluster, or beside one. */
export function assertClusterFlags(command: Command): void {
  const { cluster, allowMultipleOwners, state } = command.opts();
  const isGiven = (name: string): boolean => !["default", undefined].includes(command.getOptionValueSource(name));
  if (cluster === undefined) {
    const alone = flagsOfCluster.find(([name]) => isGiven(name));
    if (alone === undefined) return;
    throw new TroupeError(
      "invalid-argument",
      `${alone[1]} is for a host of a cluster. Name its NATS servers: --cluster.`,
    );
  }
  if (allowMultipleOwners === true) {
    throw new TroupeError("invalid-argument", "--allow-multiple-owners does not go with --cluster. Leave it out.");
  }
  if (state === undefined || state.kind === "postgres") return;
  const text = "The hosts of a cluster can't share such a --state.";
  const advice =
    "Use --state postgres://…, or leave --state out: then the cluster keeps no states, and persistent agents are refused.";
  throw new TroupeError("invalid-argument", `${text} ${advice}`);
}

/** The store and the log of a cluster, opened. */
export interface OpenedCluster {
  readonly options: NonNullable<GrpcWorkerAgentRuntimeHostOptions["cluster"]>;
  /** Asks the servers for their state, by connections of its own. */
  inspectStore(): Promise<CoordinationReport>;
  /** Closes the store and the log. Never rejects. */
  close(): Promise<void>;
}

/** Connects to the NATS servers that the flags name. Undefined: the host is alone. Rejects with an error that says what to do. */
export async function openCluster(
  flags: ClusterFlags & { readonly address: string; readonly name: string },
  logger: Logger,
): Promise<OpenedCluster | undefined> {
  if (flags.cluster === undefined) return undefined;
  const settings = settingsOf(flags);
  warnOfPassword(flags.cluster, logger);
  const { store, log } = await openNats(flags, flags.cluster, logger);
  const { cluster: servers } = flags;
  return {
    options: { store, log, ...settings },
    inspectStore: () => inspectServers(flags, servers),
    close: async () => {
      await log[Symbol.asyncDispose]();
      await store.close();
    },
  };
}

/** The options that need no store. */
export function settingsOf(
  flags: ClusterFlags & { readonly address: string; readonly name: string },
): Omit<OpenedCluster["options"], "store" | "log"> {
  const { leaseMs, workerLeaseMs, advertisePeer, advertiseWorkers } = flags;
  const { maxRoutes, moveTimeoutMs, balanceWorkers, maxPeerQueuedBytes, maxPeerQueuedFrames } = flags;
  return {
    name: flags.clusterName,
    label: flags.name,
    peerAddress: flags.peerAddress ?? nextAddress(flags.address),
    peerTls: peerTlsOf(flags),
    peerSecret: secretOf(flags),
    ...{ advertisePeer, advertiseWorkers, leaseMs, workerLeaseMs },
    ...{ maxRoutes, moveTimeoutMs, balanceWorkers, maxPeerQueuedBytes, maxPeerQueuedFrames },
  };
}

/** The address with the port after the given one. */
function nextAddress(text: string): string {
  const parsed = parseAddress(text);
  if (parsed.kind !== "tcp") return "127.0.0.1:0";
  const host = parsed.host.includes(":") ? `[${parsed.host}]` : parsed.host;
  return `${host}:${parsed.port === 0 ? 0 : parsed.port + 1}`;
}

/** Reads the certificates between hosts. Undefined: none are named. */
export function peerTlsOf({
  peerTlsCert,
  peerTlsKey,
  peerTlsCa,
}: Pick<ClusterFlags, "peerTlsCert" | "peerTlsKey" | "peerTlsCa">) {
  if (peerTlsCert === undefined && peerTlsKey === undefined && peerTlsCa === undefined) return undefined;
  if (peerTlsCert === undefined || peerTlsKey === undefined || peerTlsCa === undefined)
    throw new Error("TLS between hosts needs --peer-tls-cert, --peer-tls-key and --peer-tls-ca.");
  const cert = readPem("--peer-tls-cert", peerTlsCert, "a certificate", (pem) => new X509Certificate(pem));
  const key = readPem("--peer-tls-key", peerTlsKey, "a private key without a passphrase", createPrivateKey);
  const ca = readPem("--peer-tls-ca", peerTlsCa, "a certificate", (pem) => new X509Certificate(pem));
  if (!cert.value.checkPrivateKey(key.value)) {
    throw new Error(
      `The key of --peer-tls-key ${peerTlsKey} is not the one of the certificate of --peer-tls-cert ${peerTlsCert}.`,
    );
  }
  return { ca: ca.pem.toString(), cert: cert.pem.toString(), key: key.pem.toString() };
}

function secretOf({ peerSecret }: ClusterFlags): string | undefined {
  const [secret, from] =
    peerSecret === undefined
      ? [process.env[secretVariable]?.trim(), secretVariable]
      : [readText("--peer-secret", peerSecret).trim(), `--peer-secret ${loggableText(peerSecret)}`];
  if (secret === "") throw new TroupeError("invalid-argument", `The secret of ${from} is empty.`);
  return secret;
}

/** Flags of the connection to NATS. */
export type NatsFlags = Pick<
  ClusterFlags,
  "clusterName" | "natsCredentials" | "natsTlsCa" | "natsTlsCert" | "natsTlsKey"
>;

async function inspectServers(flags: NatsFlags, servers: string): Promise<CoordinationReport> {
  const { inspectNats } = await import("../../nats/internal.ts");
  return inspectNats(serversIn(servers), natsOptionsOf(flags));
}

/** Makes the options of a connection to NATS. Throws for files that can't be read. */
export function natsOptionsOf({ clusterName: name, natsCredentials, natsTlsCa, natsTlsCert, natsTlsKey }: NatsFlags) {
  if ((natsTlsCert === undefined) !== (natsTlsKey === undefined))
    throw new Error("A certificate for the NATS servers needs both --nats-tls-cert and --nats-tls-key.");
  const usesTls = natsTlsCa !== undefined || natsTlsCert !== undefined;
  return {
    clusterName: name,
    credentials: natsCredentials === undefined ? undefined : readText("--nats-credentials", natsCredentials),
    tls: usesTls ? { caFile: natsTlsCa, certFile: natsTlsCert, keyFile: natsTlsKey } : undefined,
  };
}

/** The addresses of the servers. */
export function serversIn(servers: string): readonly string[] {
  const texts = servers.split(",").map((one) => one.trim());
  // The scheme of the first counts for those behind it that name none.
  const scheme = /^[a-z]+:\/\//.exec(texts[0] ?? "")?.[0] ?? "";
  return texts.map((one) => (one.includes("://") ? one : `${scheme}${one}`));
}

async function openNats(
  flags: NatsFlags,
  servers: string,
  logger: Logger,
): Promise<{ readonly store: CoordinationStore; readonly log: DurableLog & AsyncDisposable }> {
  const options = { ...natsOptionsOf(flags), logger };
  const { openNatsLog, openNatsStore } = await import("../../nats/index.ts");
  const addresses = serversIn(servers);
  const store = await openNatsStore(addresses, options);
  try {
    return { store, log: await openNatsLog(addresses, options) };
  } catch (error) {
    await store.close();
    throw error;
  }
}

/** The arguments of a process are no secret on its machine. */
function warnOfPassword(servers: string, logger: Logger): void {
  if (!servers.includes("@") || process.env[serversVariable] === servers) return;
  logger.warn(
    `the arguments of this process show the login at the NATS servers to other users of the machine: use --nats-credentials, or put the servers into ${serversVariable}`,
  );
}

function readText(flag: string, file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Error(`${flag} ${loggableText(file)} can't be read: ${errorText(cause)}`, { cause });
  }
}

export function clusterName(text: string): string {
  if (/^[a-z0-9-]{1,32}$/.test(text)) return text;
  throw new InvalidArgumentError("Not a name of a-z, 0-9 and -, of at most 32 characters.");
}

function address(text: string): string {
  try {
    parseAddress(text);
    return text;
  } catch (error) {
    throw new InvalidArgumentError(errorText(error));
  }
}
