import {
  assertOptions,
  type Clock,
  callable,
  clock,
  number,
  type OptionKinds,
  optionShape,
  someRoom,
} from "../../core/internal.ts";
import { createMemoryAccountant } from "../accounting/fair-accountant.ts";
import { formatAddress, formatHost, parseAddress } from "../address.ts";
import { type MessageLimitOptions, messageLimitKinds, toMessageLimits } from "../limits.ts";
import type { Dialer, Listener } from "../link.ts";
import { USER_AGENT } from "../metadata.ts";
import { queueMicrotask } from "../real-time.ts";
import { RpcError, StatusCode } from "../rpc-status.ts";
import { MemoryConnection } from "./memory-connection.ts";
import { MemoryLink } from "./memory-link.ts";
import { MemoryListening } from "./memory-listening.ts";
import type { Schedule } from "./memory-pipe.ts";

/** First port given to a server that listens on port 0. */
const FIRST_FREE_PORT = 50_000;

/** Options of `createMemoryNetwork`. */
export interface MemoryNetworkOptions extends MessageLimitOptions {
  /** Runs deliveries later, in the order given. Default: `queueMicrotask`. */
  readonly schedule?: Schedule | undefined;
  /** Clock for deadlines of unary calls and the grace of `close`. Default: Node's timers. */
  readonly clock?: Clock | undefined;
  /** Bytes in transit to a paused receiver before the sender's queue grows. Default: 4 MiB. */
  readonly windowBytes?: number | undefined;
}

/** The kinds of those options that a simulation passes on. */
export const memoryNetworkKinds: OptionKinds<Omit<MemoryNetworkOptions, "schedule" | "clock">> = {
  ...messageLimitKinds,
  windowBytes: number(someRoom),
};

const networkShape = optionShape<MemoryNetworkOptions>({ ...memoryNetworkKinds, schedule: callable, clock });

/** Dialers and listeners that reach each other inside this process only. */
export interface MemoryNetwork extends Dialer, Listener {
  /** Cuts every connection, or those to one address, as an unplugged cable would. Servers continue to listen. */
  cut(address?: string): void;
}

/**
 * Creates a network in memory with the semantics of the gRPC link: the same ends, statuses, metadata, deadlines, limits
 * and back-pressure. It delivers asynchronously in a fixed order, so a test runs the same way every time.
 *
 * @example
 * ```ts
 * const network = createMemoryNetwork();
 * const host = new Host({ listener: network, address: "127.0.0.1:50051" });
 * await host.start();
 * const worker = new WorkerRuntime({ dialer: network, address: host.address });
 * ```
 */
export function createMemoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  assertOptions(options, networkShape, "createMemoryNetwork");
  const schedule = options.schedule ?? queueMicrotask;
  const callOptions = {
    schedule,
    limits: toMessageLimits(options),
    windowBytes: options.windowBytes ?? 4 * 1024 * 1024,
  };
  const servers = new Map<string, MemoryListening>();
  let nextPort = FIRST_FREE_PORT;
  let nextPeer = 1;
  const freeAddress = (host: string): string => {
    for (;;) {
      const address = `${formatHost(host)}:${nextPort++}`;
      if (!servers.has(address)) return address;
    }
  };
  return {
    dial(text) {
      const address = formatAddress(parseAddress(text));
      return new MemoryLink({
        address,
        schedule,
        clock: options.clock,
        metadata: { "user-agent": USER_AGENT },
        connect(events) {
          const server = servers.get(address);
          if (server === undefined) return undefined;
          return new MemoryConnection(server, { ...callOptions, ...events, peer: `memory:${nextPeer++}` });
        },
      });
    },
    async listen(text, services, { accountant = createMemoryAccountant() } = {}) {
      const wanted = parseAddress(text);
      const isAnyPort = wanted.kind === "tcp" && wanted.port === 0;
      const address = isAnyPort ? freeAddress(wanted.host) : formatAddress(wanted);
      if (servers.has(address)) {
        throw new RpcError(
          StatusCode.unavailable,
          `${address} is already in use. Choose another port (port 0 picks one).`,
        );
      }
      const server = new MemoryListening({
        ...{ address, services, accountant, clock: options.clock },
        onStopped: () => servers.delete(address),
      });
      servers.set(address, server);
      return server;
    },
    cut(text) {
      const address = text === undefined ? undefined : formatAddress(parseAddress(text));
      for (const server of servers.values()) {
        if (address === undefined || server.address === address)
          server.cut(`The connection to ${server.address} was cut.`);
      }
    },
  };
}
