import type { Clock } from "../../core/internal.ts";
import { formatAddress, formatHost, parseAddress } from "../address.ts";
import { type MessageLimitOptions, toMessageLimits } from "../limits.ts";
import type { Dialer, Listener } from "../link.ts";
import { USER_AGENT } from "../metadata.ts";
import { RpcError, StatusCode } from "../rpc-status.ts";
import { MemoryConnection } from "./memory-connection.ts";
import { MemoryLink } from "./memory-link.ts";
import { MemoryListening } from "./memory-listening.ts";
import type { Schedule } from "./memory-pipe.ts";

/** The first port given to whoever listens on port 0. */
const FIRST_FREE_PORT = 50_000;

export interface MemoryNetworkOptions extends MessageLimitOptions {
  /** How delivery is put off; tasks must run in the order given. Default: `queueMicrotask`. */
  readonly schedule?: Schedule;
  /** Times the deadlines of unary calls and the grace of closing. Default: Node's timers. */
  readonly clock?: Clock;
  /** Bytes under way to a paused receiver before its sender's queue begins to grow. Default: 4 MiB. */
  readonly windowBytes?: number;
}

/** Dialers and listeners that reach each other inside this process and nowhere else. */
export interface MemoryNetwork extends Dialer, Listener {
  /** Breaks every connection, or those to one address, as a pulled cable would. Servers go on listening. */
  cut(address?: string): void;
}

/**
 * A network in memory with the semantics of the gRPC link: the same ends, statuses, metadata, deadlines, limits and
 * back-pressure. Delivery is asynchronous and in a fixed order, so a test that uses it runs the same way every time.
 */
export function createMemoryNetwork(options: MemoryNetworkOptions = {}): MemoryNetwork {
  const schedule = options.schedule ?? queueMicrotask;
  const callOptions = {
    schedule,
    limits: toMessageLimits(options),
    windowBytes: options.windowBytes ?? 4 * 1024 * 1024,
  };
  const servers = new Map<string, MemoryListening>();
  let nextPort = FIRST_FREE_PORT;
  let nextPeer = 1;
  return {
    dial(text) {
      const address = formatAddress(parseAddress(text));
      return new MemoryLink({
        address,
        schedule,
        clock: options.clock,
        metadata: { "user-agent": USER_AGENT },
        connect(onClosed) {
          const server = servers.get(address);
          if (server === undefined) return undefined;
          return new MemoryConnection(server, { ...callOptions, onClosed, peer: `memory:${nextPeer++}` });
        },
      });
    },
    async listen(text, services) {
      const wanted = parseAddress(text);
      const isAnyPort = wanted.kind === "tcp" && wanted.port === 0;
      const address = isAnyPort ? `${formatHost(wanted.host)}:${nextPort++}` : formatAddress(wanted);
      if (servers.has(address)) {
        throw new RpcError(
          StatusCode.unavailable,
          `${address} is already in use. Choose another port (port 0 picks one).`,
        );
      }
      const server = new MemoryListening(address, services, () => servers.delete(address), options.clock);
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
