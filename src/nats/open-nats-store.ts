import type { CoordinationStore } from "../cluster/index.ts";
import { type Clock, LimitedLog, type Logger, type RuntimeLog, systemClock, TroupeError } from "../core/internal.ts";
import { openBuckets, restoreBuckets } from "./buckets.ts";
import { type ConnectionOptions, loadNats, type NatsModule } from "./driver.ts";
import { connectFailure, NatsClient } from "./nats-client.ts";
import { NatsCoordinationStore } from "./nats-coordination-store.ts";
import { assertNatsOptions, type NatsServers, type NatsStoreOptions, readServers } from "./nats-options.ts";
import { mayLoseStreams, recommendedVersion } from "./server-version.ts";

/** Milliseconds between two tries to connect. */
const retryMs = 250;

const noLogger: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** Parts that tests replace. */
export interface NatsParts {
  readonly loadNats?: () => Promise<NatsModule>;
  readonly claimLifeMs?: number;
}

/**
 * Opens the coordination store of a cluster in NATS JetStream, and makes its streams if there are none. Needs the package
 * `@nats-io/transport-node`, version 3, and nats-server 2.9 or newer; 2.11 or newer where several servers keep copies. The store connects
 * anew by itself.
 *
 * `servers`: `nats://n1:4222,n2:4222,n3:4222`, or a list of such texts. `tls://` asks for TLS. `user:password@` or `token@` may stand
 * before a host.
 *
 * Rejects with a `TroupeError`. It is `invalid-argument` for wrong options, `disconnected` if no server can be reached, and
 * `not-authorized` if the servers refuse the login. It is `wrong-state` for servers that can't keep the store, and without the package.
 *
 * @example
 * ```ts
 * await using store = await openNatsStore("nats://127.0.0.1:4222", { clusterName: "shop" });
 * ```
 */
export function openNatsStore(
  servers: string | readonly string[],
  options: NatsStoreOptions = {},
): Promise<CoordinationStore & AsyncDisposable> {
  return openNatsStoreWith(servers, options, {});
}

/** As `openNatsStore`, with other parts. */
export async function openNatsStoreWith(
  servers: string | readonly string[],
  options: NatsStoreOptions,
  parts: NatsParts,
): Promise<NatsCoordinationStore> {
  assertNatsOptions(options);
  const found = readServers(servers);
  const { clusterName = "troupe", clock = systemClock, openTimeoutMs = 15_000 } = options;
  const limited = new LimitedLog(options.logger ?? noLogger, clock);
  const module = await (parts.loadNats ?? loadNats)();
  const untilMs = clock.now() + openTimeoutMs;
  const client = await connected(module, found, connectionOptions(module, found, options, clusterName), {
    ...{ clock, untilMs, log: limited },
  });
  try {
    const { replicas } = options;
    const { claimLifeMs } = parts;
    const bucketParts = { client, clusterName, clock, untilMs, log: limited, replicas, claimLifeMs };
    const buckets = await openBuckets(bucketParts);
    if (mayLoseStreams(client.serverVersion)) {
      const fields = { version: client.serverVersion, advice: `run nats-server ${recommendedVersion} or newer` };
      limited.warn("this version of nats-server may lose a stream when its process is killed", fields);
    }
    return new NatsCoordinationStore({
      ...{ client, buckets, clusterName, clock, log: limited },
      restoreBuckets: () => restoreBuckets({ ...bucketParts, untilMs: clock.now() + openTimeoutMs }, buckets),
      onClosed: () => limited.flush(),
    });
  } catch (error) {
    await client.close();
    throw error;
  }
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

function connectionOptions(
  module: NatsModule,
  found: NatsServers,
  options: NatsStoreOptions,
  clusterName: string,
): ConnectionOptions & { readonly inboxPrefix: string } {
  const { user = found.user, password = found.password, token = found.token, credentials, nkeySeed } = options;
  const logins = [user !== undefined, token !== undefined, credentials !== undefined, nkeySeed !== undefined];
  if (logins.filter(Boolean).length > 1) {
    const text = "openNatsStore takes one login: credentials, nkeySeed, user and password, or token.";
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
