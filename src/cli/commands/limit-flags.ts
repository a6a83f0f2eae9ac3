import { type Command, Option } from "commander";
import { type QuotaLimit, type Quotas, quotaLimits } from "../../security/internal.ts";
import { mostOfFlags, wholeNumber } from "../whole-number.ts";

/** A limit of the host that has a flag: the flag, its help with the default, and the numbers that it takes. */
interface LimitFlag {
  readonly flag: string;
  readonly help: string;
  readonly from?: number;
  readonly to?: number;
}

/** The longest delay that timers take: 24 days. */
export const longestMs = 2 ** 31 - 1;

/** Limits of the host's own options, by their names. */
const hostLimits = {
  maxQueuedFrames: {
    flag: "--max-queued-frames <count>",
    help: "messages that may wait for one worker that reads too slowly (default: 100000)",
    from: 1,
  },
  maxPendingCallsPerSession: {
    flag: "--max-pending-calls-per-session <count>",
    help: "calls of one worker without an answer (default: 50000)",
    from: 1,
  },
  maxPendingCalls: {
    flag: "--max-pending-calls <count>",
    help: "calls of all workers without an answer (default: 500000)",
    from: 1,
  },
  maxTypesPerClient: {
    flag: "--max-types-per-client <count>",
    help: "agent types of one client (default: 10000)",
    from: 1,
  },
  maxSubscriptionsPerClient: {
    flag: "--max-subscriptions-per-client <count>",
    help: "subscriptions of one client (default: 100000)",
    from: 1,
  },
  maxSubscriptions: {
    flag: "--max-subscriptions <count>",
    help: "subscriptions of all clients together (default: 1000000)",
    from: 1,
  },
  registrationOrphanMs: {
    flag: "--registration-orphan-ms <ms>",
    help: "time after which registrations are forgotten whose client opens no channel (default: 30000)",
    from: 1,
    to: longestMs,
  },
  channelWaitMs: {
    flag: "--channel-wait-ms <ms>",
    help: "how long calls wait for the channel of a client that has registered before it (default: 2000)",
    to: longestMs,
  },
} as const satisfies Readonly<Record<string, LimitFlag>>;

/** Limits of its listener, by the names of their options. The second name is the one that the flag gives. */
const listenerLimits = {
  maxConnections: {
    flag: "--max-connections <count>",
    help: "connections at once (default: 10000)",
    from: 1,
  },
  maxConcurrentStreams: {
    flag: "--max-concurrent-streams <count>",
    help: "calls at once of one connection (default: 1000)",
    from: 1,
    to: 2 ** 32 - 1,
  },
  maxHeaderBytes: {
    flag: "--max-header-bytes <bytes>",
    help: "longest headers of a call (default: 64 KiB)",
    from: 1_024,
    to: 2 ** 31 - 1,
  },
  maxHeldBytes: {
    flag: "--max-held-bytes <bytes>",
    help: "what one connection may make the host keep (default: 128 MiB, or 2 × --max-queued-bytes)",
    from: 1_024,
  },
  maxResetsPerMinute: {
    flag: "--max-resets-per-minute <count>",
    help: "calls that one connection may reset in a minute (default: 1000)",
    from: 1,
  },
  handshakeTimeoutMs: {
    flag: "--handshake-timeout-ms <ms>",
    help: "time for TLS, and again for the beginning of HTTP/2 (default: 10000)",
    from: 1,
    to: longestMs,
  },
  idleTimeoutMs: {
    flag: "--idle-timeout-ms <ms>",
    help: "time after which a connection without a call is closed (default: 300000)",
    from: 1,
    to: longestMs,
  },
  requestTimeoutMs: {
    flag: "--request-timeout-ms <ms>",
    help: "time in which a short request must arrive (default: 30000)",
    from: 1,
    to: longestMs,
  },
  messageTimeoutMs: {
    flag: "--message-timeout-ms <ms>",
    help: "silence within a message after which its rest is refused (default: 30000)",
    from: 1,
    to: longestMs,
  },
} as const satisfies Readonly<Record<string, LimitFlag>>;

type Limits<Table> = { readonly [Name in keyof Table]?: number };

/** The limits that flags have set. */
export type LimitFlags = Limits<typeof hostLimits> & Limits<typeof listenerLimits>;

/** Adds a flag for each limit of a host. */
export function addLimitFlags(command: Command): Command {
  for (const { flag, help, from = 0, to = mostOfFlags } of [
    ...Object.values<LimitFlag>(hostLimits),
    ...Object.values<LimitFlag>(listenerLimits),
  ])
    command.option(flag, help, wholeNumber(from, to));
  return command;
}

/** The limits that flags set, as options of a host and of its listener. */
export function limitsOf(flags: LimitFlags): {
  readonly host: Limits<typeof hostLimits>;
  readonly listener: Limits<typeof listenerLimits>;
} {
  return { host: givenOf(hostLimits, flags), listener: givenOf(listenerLimits, flags) };
}

function givenOf<Table extends object>(table: Table, flags: Readonly<Record<string, unknown>>): Limits<Table> {
  const given = Object.keys(table).flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]]));
  // The flags have whole numbers under these names: commander has read them so.
  return Object.fromEntries(given) as Limits<Table>;
}

const quotaNames: Readonly<Record<QuotaLimit, string>> = {
  connections: "connections at once",
  channels: "channels at once; a worker of Troupe has two",
  types: "agent types at once",
  subscriptions: "subscriptions at once",
  calls: "calls without an answer",
  messagesPerSecond: "messages in a second",
  bytesPerSecond: "bytes of messages in a second",
  keptBytes: "bytes that the host keeps",
};

const quotaOwners = ["principal", "address"] as const;
type QuotaOwner = (typeof quotaOwners)[number];

/** Quotas by the attribute names of their flags. */
export type QuotaFlags = {
  readonly [Name in `${QuotaLimit}Per${"Principal" | "Address"}`]?: number;
};

/** Adds a flag for each quota. */
export function addQuotaFlags(command: Command): Command {
  for (const owner of quotaOwners)
    for (const limit of limitsFor(owner)) {
      const name = limit.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      const unit = limit.toLowerCase().includes("bytes") ? "bytes" : "count";
      command.addOption(
        new Option(
          `--${name}-per-${owner} <${unit}>`,
          `${quotaNames[limit]}, of each ${owner} for which the file of --quotas has no such limit (default: any)`,
        ).argParser(wholeNumber(1)),
      );
    }
  return command;
}

/** Connections have no principal when they begin. */
function limitsFor(owner: QuotaOwner): readonly QuotaLimit[] {
  return quotaLimits.filter((limit) => owner === "address" || limit !== "connections");
}

/** Puts the quotas that flags set behind those of a file. Undefined: there are none. */
export function withQuotaFlags(ofFile: Quotas | undefined, flags: QuotaFlags): Quotas | undefined {
  const limitsOfAll = (owner: QuotaOwner) => {
    const suffix = owner === "principal" ? "Principal" : "Address";
    const given = limitsFor(owner).flatMap((limit) => {
      const value = flags[`${limit}Per${suffix}`];
      return value === undefined ? [] : [[limit, value] as const];
    });
    return Object.fromEntries(given);
  };
  const [principals, addresses] = [limitsOfAll("principal"), limitsOfAll("address")];
  if (Object.keys(principals).length + Object.keys(addresses).length === 0) return ofFile;
  if (ofFile === undefined) return { revision: principals, ofPrincipal: () => principals, ofAddress: () => addresses };
  return {
    get revision() {
      return ofFile.revision;
    },
    ofPrincipal: (principal) => ({ ...principals, ...ofFile.ofPrincipal(principal) }),
    ofAddress: (address) => ({ ...addresses, ...ofFile.ofAddress(address) }),
  };
}
