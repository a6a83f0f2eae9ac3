import type { CoordinationStore } from "../../src/cluster/index.ts";
import type { NatsStoreOptions } from "../../src/nats/index.ts";
import { type NatsParts, openNatsStoreWith } from "../../src/nats/open-nats-store.ts";
import { type CoordinationAdapter, type FaultProxy, startFaultProxy } from "../../src/testing/index.ts";
import type { NatsServer } from "./nats-server.ts";

/** Stores on NATS servers that outlive them. Each new cluster has a name of its own. */
export class NatsRig {
  readonly #servers: readonly NatsServer[];
  readonly #names = new Map<CoordinationStore, string>();
  readonly #proxies = new Map<CoordinationStore, FaultProxy>();
  #count = 0;

  constructor(servers: readonly NatsServer[]) {
    this.#servers = servers;
  }

  /** Opens a store through a fault proxy of its own, if there is one server. */
  async open(
    clusterName = this.newName(),
    options: NatsStoreOptions = {},
    parts: NatsParts = {},
  ): Promise<CoordinationStore & AsyncDisposable> {
    const [first] = this.#servers;
    const proxy =
      this.#servers.length === 1 && first !== undefined ? await startFaultProxy({ target: first.address }) : undefined;
    const addresses = proxy === undefined ? this.#servers.map(({ url }) => url) : [`nats://${proxy.address}`];
    const store = await openNatsStoreWith(addresses, { clusterName, ...options }, parts);
    this.#names.set(store, clusterName);
    if (proxy !== undefined) this.#proxies.set(store, proxy);
    const close = store.close.bind(store);
    store.close = async () => {
      await close();
      await proxy?.close();
    };
    return store;
  }

  newName(): string {
    this.#count += 1;
    return `tests-${process.pid}-${this.#count}`;
  }

  nameOf(store: CoordinationStore): string {
    return this.#names.get(store) ?? "unknown";
  }

  proxyOf(store: CoordinationStore): FaultProxy {
    const proxy = this.#proxies.get(store);
    if (proxy === undefined) throw new Error("This store has no proxy.");
    return proxy;
  }

  /** The adapter as the contract suite takes it. `restart` stops all servers and starts them again. */
  adapter(): CoordinationAdapter {
    return {
      create: () => this.open(),
      another: (store) => this.open(this.nameOf(store)),
      faults: {
        ...(this.#servers.length === 1 ? { loseAnswers: (store) => this.#loseAnswers(store) } : {}),
        restart: async () => {
          await Promise.all(this.#servers.map((server) => server.stop()));
          await Promise.all(this.#servers.map((server) => server.restart()));
        },
      },
    };
  }

  #loseAnswers(store: CoordinationStore): () => Promise<void> {
    const proxy = this.proxyOf(store);
    proxy.apply({ kind: "drop", in: "to-client" });
    return async () => {
      proxy.heal();
      // Bytes are missing in the stream: the client makes another connection.
      proxy.apply({ kind: "reset" });
      await untilAnswers(store);
    };
  }
}

/** Resolves when a store answers again. */
export async function untilAnswers(store: CoordinationStore): Promise<void> {
  while ((await store.read("some.key", { fresh: true })) === "unknown") await caughtUp(store);
}

/** Resolves when a new watch of a store has caught up: then its servers are there. */
function caughtUp(store: CoordinationStore): Promise<void> {
  return new Promise((resolve) => {
    const end = store.watch("some.", { onEntry: () => {}, onReset: () => {}, onCaughtUp });
    function onCaughtUp(): void {
      end();
      resolve();
    }
  });
}
