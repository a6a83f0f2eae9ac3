import { hostname } from "node:os";
import { type Command, InvalidArgumentError, Option } from "commander";
import {
  type AgentPlacement,
  isValidAgentType,
  isValidTopicType,
  placements,
  TroupeError,
} from "../../core/internal.ts";
import type { GrpcWorkerAgentRuntimeHostOptions } from "../../grpc/internal.ts";
import type { LogLevel } from "../../telemetry/internal.ts";
import type { AdminFlags } from "../admin/open-admin.ts";
import { addConfigFlags } from "../settings/config-flags.ts";
import { defaultStateFile, type StateLocation } from "../state/state-location.ts";
import { wholeNumber } from "../whole-number.ts";
import { addClusterFlags, type ClusterFlags } from "./cluster-flags.ts";
import { type AuthenticationFlags, tokensVariable } from "./host-authenticator.ts";
import { addLimitFlags, addQuotaFlags, type LimitFlags, limitsOf, longestMs, type QuotaFlags } from "./limit-flags.ts";
import { parseState } from "./state.ts";
import { tlsOf } from "./tls-files.ts";

export interface HostFlags extends AuthenticationFlags, AdminFlags, ClusterFlags, LimitFlags, QuotaFlags {
  readonly address: string;
  readonly callTimeoutMs: number;
  readonly graceSeconds: number;
  readonly maxMessageBytes?: number;
  readonly maxQueuedBytes?: number;
  readonly whenFull: "drop" | "disconnect";
  readonly maxMemoryBytes?: number;
  readonly maxSessions?: number;
  readonly stockPeerMaxBytes?: number;
  readonly reconnectGraceMs?: number;
  readonly dotnetErrors: "withhold" | "status";
  /** Undefined: 10, and 5 in a cluster. */
  readonly keepAliveSeconds?: number;
  /** Undefined: 20, and 5 in a cluster. */
  readonly keepAliveTimeoutSeconds?: number;
  readonly heartbeatMs: number;
  readonly heartbeatTimeoutMs: number;
  readonly legacyWorkers: boolean;
  readonly logLevel: LogLevel;
  /** Undefined: text in a terminal, else JSON. */
  readonly logFormat?: "text" | "json";
  readonly allowMultipleOwners: boolean;
  readonly ownOnly: boolean;
  readonly sharedTypes?: readonly string[];
  readonly durableTopics?: readonly string[];
  readonly durableTypes?: readonly string[];
  readonly placement: AgentPlacement;
  readonly versionPolicy: "newest" | "any";
  readonly maxClaims?: number;
  readonly drainGraceMs?: number;
  readonly reflection: boolean;
  /** Undefined: the default of the command line. */
  readonly state?: StateLocation;
  readonly synchronous: "full" | "normal";
  readonly takeOver: boolean;
}

/** Adds the flags of `troupe host`. */
export function addHostFlags(command: Command): Command {
  addOwnFlags(command);
  command.optionsGroup("Limits:");
  addLimitFlags(command);
  command.optionsGroup("Quotas:");
  addQuotaFlags(command);
  command.optionsGroup("Cluster:");
  addClusterFlags(command);
  addConfigFlags(command);
  return command;
}

function addOwnFlags(command: Command): Command {
  return command
    .optionsGroup("Address and TLS:")
    .option("--address <host:port>", "where to listen; port 0 takes a free one", "127.0.0.1:50051")
    .option("--tls-cert <file>", "certificate (PEM) to serve TLS with; needs --tls-key")
    .option("--tls-key <file>", "its private key (PEM)")
    .option(
      "--tls-client-ca <file>",
      "serve only clients with a certificate by this authority (PEM), which names their principal",
    )
    .optionsGroup("Who may call:")
    .option(
      "--tokens <file>",
      `serve only clients with a token of this file, lines NAME TOKEN [ROLE,ROLE…]; the variable ${tokensVariable} has such lines, too`,
    )
    .option("--jwt-issuer <url>", "serve only clients with a JSON Web Token of this issuer; needs the two below")
    .option("--jwt-audience <names>", "audiences of such tokens, with commas between them")
    .option("--jwt-keys <url>", "where the keys of the issuer are (jwks_uri)")
    .option(
      "--rules <file>",
      "let callers do only what the rules of this file allow (YAML, or JSON in a file .json); read again when it changes",
    )
    .option(
      "--quotas <file>",
      "limit what each principal and each address may have and do, as this file says (YAML or JSON); read again when it changes (default: the quotas in the file of --rules)",
    )
    .option("--insecure", "listen beyond this machine without TLS, or without knowing who calls", false)
    .optionsGroup("Messages and workers:")
    .option(
      "--call-timeout-ms <ms>",
      "answer a call with an error after this time; 0 waits for ever",
      wholeNumber(0),
      300_000,
    )
    .option("--grace-seconds <seconds>", "how long streams may take to end when the host stops", wholeNumber(0), 5)
    .option("--max-message-bytes <bytes>", "longest message taken (default: 64 MiB)", wholeNumber(1_024))
    .option(
      "--max-queued-bytes <bytes>",
      "what may wait for one worker that reads too slowly (default: 32 MiB)",
      wholeNumber(1_024),
    )
    .option(
      "--max-memory-bytes <bytes>",
      "what the host keeps for all clients together; the client that holds most gives way (default: 512 MiB, or 4 × --max-queued-bytes)",
      wholeNumber(1024 * 1024),
    )
    .addOption(
      new Option("--when-full <what>", "what becomes of a worker whose queue is full: it misses events, or is cut off")
        .choices(["drop", "disconnect"])
        .default("drop"),
    )
    .option("--max-sessions <count>", "workers connected at once (default: 10000)", wholeNumber(1))
    .option(
      "--stock-peer-max-bytes <bytes>",
      "longest message sent to workers on stock gRPC libraries (Python, .NET), which take 4 MiB unless told otherwise; 0: any",
      wholeNumber(0),
    )
    .option(
      "--reconnect-grace-ms <ms>",
      "how long a worker may be gone and find its registrations again (default: 10000 for .NET's, else 0)",
      wholeNumber(0, longestMs),
    )
    .addOption(
      new Option(
        "--dotnet-errors <what>",
        "what .NET's workers get for an error, which they can't read: nothing, or a message google.rpc.Status that they must know",
      )
        .choices(["withhold", "status"])
        .default("withhold"),
    )
    .option(
      "--keep-alive-seconds <seconds>",
      "how often clients are pinged; 0: never (default: 10, and 5 in a cluster)",
      wholeNumber(0, Math.floor(longestMs / 1_000)),
    )
    .option(
      "--keep-alive-timeout-seconds <seconds>",
      "how long a client may be silent after a ping before it is lost (default: 20, and 5 in a cluster)",
      wholeNumber(1, Math.floor(longestMs / 1_000)),
    )
    .option(
      "--heartbeat-ms <ms>",
      "silence of a Troupe worker after which the host asks whether it lives; 0: never, and no answers to workers' heartbeats either",
      wholeNumber(0),
      15_000,
    )
    .option(
      "--heartbeat-timeout-ms <ms>",
      "how long a silent Troupe worker has for its sign of life, before it is cut off; 0: the host never asks",
      wholeNumber(0),
      30_000,
    )
    .option("--no-legacy-workers", "refuse workers of autogen-ext 0.4.0 to 0.4.3")
    .option("--allow-multiple-owners", "let several workers serve one agent type", false)
    .option("--own-only", "let a worker remove only its own subscriptions", false)
    .option(
      "--shared-types <types>",
      "agent types that several workers of AutoGen's share, each agent in one of them: writer,editor*",
      listOfNames,
    )
    .option(
      "--durable-topics <types>",
      "topic types whose events are kept for durable subscriptions, also those of AutoGen's workers: orders,audit.*",
      listOfTopics,
    )
    .option(
      "--durable-types <types>",
      "agent types for which calls of AutoGen's workers are kept: answered with nothing at once, and tried until they are handled",
      listOfNames,
    )
    .addOption(
      new Option(
        "--placement <how>",
        "how the worker for an agent of a shared type is chosen, if the type does not say",
      )
        .choices([...placements])
        .default("hash"),
    )
    .addOption(
      new Option("--version-policy <which>", "versions of workers that get new agents of shared types")
        .choices(["newest", "any"])
        .default("newest"),
    )
    .option(
      "--drain-grace-ms <ms>",
      "time that shared agents have to leave a worker which stops (default: 10000)",
      wholeNumber(1, longestMs),
    )
    .option("--max-claims <count>", "agents of shared types whose workers are known (default: 2000000)", wholeNumber(1))
    .optionsGroup("States:")
    .addOption(
      new Option(
        "--state <store>",
        `where agents' states are kept: sqlite:FILE, postgres://… or memory: (default: sqlite:${defaultStateFile})`,
      ).argParser(parseState),
    )
    .addOption(
      new Option(
        "--synchronous <what>",
        "what a state in SQLite survives: a power cut, or the end of the process alone",
      )
        .choices(["full", "normal"])
        .default("full"),
    )
    .option("--take-over", "take the state store from a host that holds it, which writes no state any more", false)
    .optionsGroup("Admin entry and log:")
    .option(
      "--admin <host:port>",
      "where the other commands ask this host (default: 127.0.0.1 and a free port); with TLS, authentication and --rules also an address for other machines",
    )
    .option("--no-admin", "let no other command ask this host")
    .option("--admin-file <file>", "where to write the address and the token for the other commands")
    .option("--ui", "serve a page for operators, at the address of --admin; it asks for the token", false)
    .addOption(
      new Option("--name <name>", "the name by which the other commands pick this host")
        .argParser(hostName)
        .default(hostname(), "the name of this machine"),
    )
    .option("--reflection", "serve gRPC's server reflection, for tools such as grpcurl", false)
    .addOption(
      new Option("--log-level <level>", "the least that is written to standard error")
        .choices(["debug", "info", "warn", "error"])
        .default("info"),
    )
    .addOption(
      new Option(
        "--log-format <format>",
        "how the log is written (default: text in a terminal, else one line of JSON each)",
      ).choices(["text", "json"]),
    );
}

/** Throws `invalid-argument` for a flag that says nothing about the state store that is named. */
export function assertStateFlags(command: Command): void {
  const { state } = command.opts<HostFlags>();
  const given = (flag: keyof HostFlags): boolean =>
    !["default", undefined].includes(command.getOptionValueSource(flag));
  if (given("takeOver") && state?.kind === "memory")
    throw meaningless("--take-over", "no other host holds states in memory");
  if (given("synchronous") && state !== undefined && state.kind !== "sqlite")
    throw meaningless("--synchronous", "only a SQLite file has it");
}

function meaningless(flag: string, why: string): TroupeError {
  return new TroupeError("invalid-argument", `${flag} does not go with this --state: ${why}. Leave ${flag} out.`);
}

/** Makes host options from the flags. Throws when a file can't be read or is not what its flag asks for. */
export function hostOptionsOf(flags: HostFlags): GrpcWorkerAgentRuntimeHostOptions {
  const { maxMessageBytes, keepAliveSeconds, keepAliveTimeoutSeconds } = flags;
  const { host, listener } = limitsOf(flags);
  return {
    ...host,
    callTimeoutMs: flags.callTimeoutMs,
    acceptLegacyWorkers: flags.legacyWorkers,
    allowMultipleOwners: flags.allowMultipleOwners,
    placement: flags.placement,
    versionPolicy: flags.versionPolicy,
    reflection: flags.reflection,
    takesOver: flags.takeOver,
    whenFull: flags.whenFull,
    heartbeatMs: flags.heartbeatMs,
    heartbeatTimeoutMs: flags.heartbeatTimeoutMs,
    insecure: flags.insecure,
    dotnetErrors: flags.dotnetErrors,
    ...given("ownOnly", flags.ownOnly ? true : undefined),
    ...given("maxQueuedBytes", flags.maxQueuedBytes),
    ...given("maxMemoryBytes", flags.maxMemoryBytes),
    ...given("maxSessions", flags.maxSessions),
    ...given("sharedTypes", flags.sharedTypes),
    ...given("durableTopics", flags.durableTopics),
    ...given("durableTypes", flags.durableTypes),
    ...given("maxClaims", flags.maxClaims),
    ...given("drainGraceMs", flags.drainGraceMs),
    ...given("stockPeerMaxBytes", flags.stockPeerMaxBytes),
    ...given("reconnectGraceMs", flags.reconnectGraceMs),
    channelOptions: {
      ...listener,
      ...given("pingTimeoutMs", keepAliveTimeoutSeconds === undefined ? undefined : keepAliveTimeoutSeconds * 1_000),
      ...given("pingIntervalMs", keepAliveSeconds === undefined ? undefined : keepAliveSeconds * 1_000),
      ...given("maxReceiveMessageBytes", maxMessageBytes),
      ...tlsOf(flags),
    },
  };
}

/** Makes an option that is present only if the flag was given. */
function given<Name extends string, Value>(name: Name, value: Value | undefined): { readonly [name in Name]?: Value } {
  // A computed key has the type string; here it is the one name.
  return value === undefined ? {} : ({ [name]: value } as { readonly [name in Name]: Value });
}

function hostName(text: string): string {
  if (text.trim() !== "") return text;
  throw new InvalidArgumentError("It is empty. Name the host, or leave --name out for the name of this machine.");
}

/** Reads names that are joined by commas. */
function listOfNames(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => isValidAgentType(name.replace(/\*$/, "")) || name === "*")) return names;
  throw new InvalidArgumentError("Not a list of agent types with commas between them, such as writer,editor*.");
}

function listOfTopics(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  if (names.every((name) => name === "*" || isValidTopicType(name.replace(/\*$/, "")))) return names;
  throw new InvalidArgumentError("Not a list of topic types with commas between them, such as orders,audit.*.");
}
