import type { CoordinationStore } from "../cluster/index.ts";
import { openBuckets, restoreBuckets } from "./buckets.ts";
import { connectNats } from "./connect-nats.ts";
import type { NatsModule } from "./driver.ts";
import { NatsCoordinationStore } from "./nats-coordination-store.ts";
import { assertStoreOptions, type NatsStoreOptions } from "./nats-options.ts";

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
  assertStoreOptions(options);
  const link = await connectNats(servers, options, parts.loadNats);
  const { client, clusterName, clock, log, openTimeoutMs } = link;
  try {
    const bucketParts = { ...link, claimLifeMs: parts.claimLifeMs };
    const buckets = await openBuckets(bucketParts);
    return new NatsCoordinationStore({
      ...{ client, buckets, clusterName, clock, log },
      restoreBuckets: () => restoreBuckets({ ...bucketParts, untilMs: clock.now() + openTimeoutMs }, buckets),
      onClosed: () => log.flush(),
    });
  } catch (error) {
    await client.close();
    throw error;
  }
}
