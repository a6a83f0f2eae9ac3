import { type Clock, LimitedLog, type Logger, type RuntimeLog, systemClock, TroupeError } from "../core/internal.ts";
import { type ConnectionOptions, loadNats, type NatsModule } from "./driver.ts";
import { connectFailure, NatsClient } from "./nats-client.ts";
import { type NatsServers, type NatsStoreOptions, readServers } from "./nats-options.ts";
import { mayLoseStreams, recommendedVersion } from "./server-version.ts";

/** Milliseconds between two tries to connect. */
const retryMs = 250;

export const noLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** A connection of a cluster's host to NATS, and what was read of the options for it. */
export interface NatsLink {
  readonly client: NatsClient;
  readonly clusterName: string;
  readonly replicas: number | undefined;
  readonly clock: Clock;
  readonly log: LimitedLog;
  /** Milliseconds, of `clock`: until then the streams must have a leader. */
  readonly untilMs: number;
  readonly openTimeoutMs: number;
}

/** Connects to NATS. Options were checked. Rejects with a `TroupeError` that says what to do. */
export async function connectNats(
  servers: string | readonly string[],
  options: NatsStoreOptions,
  load: (() => Promise<NatsModule>) | undefined,
): Promise<NatsLink> {
  const found = readServers(servers);
  const { clusterName = "troupe", clock = systemClock, openTimeoutMs = 15_000, replicas } = options;
  const log = new LimitedLog(options.logger ?? noLogger, clock);
  const module = await (load ?? loadNats)();
  const untilMs = clock.now() + openTimeoutMs;
  const client = await connected(module, found, connectionOptions(module, found, options, clusterName), {
    ...{ clock, untilMs, log },
  });
  if (mayLoseStreams(client.serverVersion)) {
    const fields = { version: client.serverVersion, advice: `run nats-server ${recommendedVersion} or newer` };
    log.warn("this version of nats-server may lose a stream when its process is killed", fields);
  }
  return { client, clusterName, replicas, clock, log, untilMs, openTimeoutMs };
}

interface ConnectParts {
  readonly clock: Clock;
  readonly untilMs: number;
  readonly log: RuntimeLog;
}

/** Connects, and tries again while no server can be reached. */
async function connected(
  module: NatsModule,
  { addresses }: NatsServers,
  options: ConnectionOptions & { readonly inboxPrefix: string },
  { clock, untilMs, log }: ConnectParts,
): Promise<NatsClient> {
  for (;;) {
    try {
      return await NatsClient.connect(module, options, { clock, log });
    } catch (cause) {
      const failure = connectFailure(cause, addresses);
      if (failure.code === "not-authorized" || clock.now() >= untilMs) throw failure;
    }
    await new Promise<void>((resolve) => void clock.setTimer(retryMs, resolve, { keepAlive: true }));
  }
}

/** Makes the options of a connection for the package, from the addresses and the options of Troupe. */
export function connectionOptions(
  module: NatsModule,
  found: NatsServers,
  options: NatsStoreOptions,
  clusterName: string,
): ConnectionOptions & { readonly inboxPrefix: string } {
  const { user = found.user, password = found.password, token = found.token, credentials, nkeySeed } = options;
  const logins = [user !== undefined, token !== undefined, credentials !== undefined, nkeySeed !== undefined];
  if (logins.filter(Boolean).length > 1) {
    const text = "NATS takes one login: credentials, nkeySeed, user and password, or token.";
    throw new TroupeError("invalid-argument", text);
  }
  const encoder = new TextEncoder();
  return {
    servers: [...found.addresses],
    name: `troupe ${clusterName}`,
    // One account can hold several clusters that don't hear each other.
    inboxPrefix: `_INBOX_${clusterName}`,
    timeout: 5_000,
    ...(user === undefined ? {} : { user, pass: password ?? "" }),
    ...(token === undefined ? {} : { token }),
    ...(credentials === undefined ? {} : { authenticator: module.credsAuthenticator(encoder.encode(credentials)) }),
    ...(nkeySeed === undefined ? {} : { authenticator: module.nkeyAuthenticator(encoder.encode(nkeySeed)) }),
    ...(options.tls === undefined && !found.usesTls ? {} : { tls: { ...options.tls } as object }),
  };
}
