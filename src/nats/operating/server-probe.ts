import type { CoordinationServer } from "../../cluster/internal.ts";
import { type Clock, errorText, type LimitedLog, loggableText, loggableUpTo } from "../../core/internal.ts";
import { connectionOptions } from "../connect-nats.ts";
import type { NatsConnection, NatsModule } from "../driver.ts";
import { connectFailure, NatsClient } from "../nats-client.ts";
import type { NatsServers, NatsStoreOptions } from "../nats-options.ts";

/** Milliseconds that a server has to take a connection, and to answer a ping. */
const probeMs = 2_000;
/** The longest text of a server that is kept. */
const shownChars = 200;

export function shown(value: unknown): string {
  return typeof value === "string" ? loggableUpTo(shownChars, value) : "";
}

export interface ProbeParts {
  readonly module: NatsModule;
  readonly servers: NatsServers;
  readonly options: NatsStoreOptions;
  readonly clusterName: string;
  readonly clock: Clock;
  readonly log: LimitedLog;
}

/** One server, asked by a connection of its own. */
export interface ProbedServer {
  readonly report: CoordinationServer;
  /** Undefined: it takes no connection. The caller closes it. */
  readonly client: NatsClient | undefined;
  readonly connection: NatsConnection | undefined;
}

/** Connects to one server alone, and never again when that connection is lost. Never rejects. */
export async function probeServer(parts: ProbeParts, address: string): Promise<ProbedServer> {
  const { module, servers, options, clusterName, clock, log } = parts;
  const settings = connectionOptions(module, servers, options, clusterName);
  const nothing = { name: "", version: "", isClustered: false, hasJetStream: false, roundTripMs: null };
  try {
    const connection = await module.connect({
      ...settings,
      ...{ servers: [address], timeout: probeMs, reconnect: false, ignoreClusterUpdates: true },
      ignoreAuthErrorAbort: true,
    });
    const client = new NatsClient({ module, connection, inboxPrefix: settings.inboxPrefix, clock, log });
    const { version, cluster = "", server_name: name, jetstream } = connection.info ?? { version: "" };
    const roundTripMs = await roundTrip(connection, clock);
    return {
      ...{ client, connection },
      report: {
        ...{ address, name: shown(name), version: shown(version), isClustered: cluster !== "" },
        ...{ hasJetStream: jetstream === true, roundTripMs },
        problem: roundTripMs === null ? `It takes connections and does not answer within ${probeMs / 1_000} s.` : null,
      },
    };
  } catch (cause) {
    const problem = loggableText(errorText(connectFailure(cause, [address])));
    return { client: undefined, connection: undefined, report: { ...nothing, address, problem } };
  }
}

/** Null: there was no answer in time. */
async function roundTrip(connection: NatsConnection, clock: Clock): Promise<number | null> {
  let end = (): void => undefined;
  const late = new Promise<null>((resolve) => {
    end = () => resolve(null);
  });
  const timer = clock.setTimer(probeMs, () => end(), { keepAlive: true });
  try {
    return await Promise.race([connection.rtt(), late]);
  } catch {
    return null;
  } finally {
    timer.cancel();
  }
}
