import { MemoryCoordinationStore } from "../../src/cluster/index.ts";
import { Host } from "../../src/host/index.ts";
import {
  createMemoryNetwork,
  type Dialer,
  grpcDialer,
  grpcListener,
  type Listener,
} from "../../src/transport/index.ts";
import { WorkerRuntime } from "../../src/worker/index.ts";
import { describeAgentRuntime, type MakeWorld } from "./agent-runtime.ts";

/** Two workers on one host of ours. `keptAt`: who has the store of the persistent agents. */
function twoWorkers(
  open: () => { readonly dialer: Dialer; readonly listener: Listener },
  keptAt: "worker" | "host" = "worker",
): MakeWorld {
  return async (options) => {
    const { dialer, listener } = open();
    const { stateStore } = options;
    const { clock, cron, logger } = options.callee ?? {};
    // A clock that the test moves would end quiet workers.
    const atHost = { stateStore, clock, cron, logger, heartbeatMs: clock === undefined ? undefined : 0 };
    const host = new Host({ listener, address: "127.0.0.1:0" }, keptAt === "host" ? atHost : {});
    await host.start();
    const { address } = host;
    // Some handlers of the suite never end: their worker does not wait long for them.
    const ends = {
      dialer,
      address,
      drainTimeoutMs: 200,
      ...(clock === undefined ? {} : { heartbeatMs: 0, keepAliveMs: 0 }),
    };
    const caller = new WorkerRuntime({ ...ends, ...options.caller });
    const store = keptAt === "host" ? {} : { stateStore };
    const callee = new WorkerRuntime({ ...ends, ...options.callee, ...store });
    await Promise.all([caller.start(), callee.start()]);
    return {
      caller,
      callee,
      close: async () => {
        await Promise.all([caller.stop(), callee.stop()]);
        await host.stop({ graceMs: 0 });
      },
    };
  };
}

/** Two workers at a host of a cluster: what they begin needs a lease. The callee has the store of its persistent agents. */
const underLease: MakeWorld = async (options) => {
  const [workers, peers, store] = [createMemoryNetwork(), createMemoryNetwork(), new MemoryCoordinationStore()];
  const transport = { dialer: peers, listener: peers, isMutual: false };
  const cluster = { store, transport, peerAddress: "127.0.0.1:0" };
  const host = new Host({ listener: workers, address: "127.0.0.1:0" }, { cluster });
  await host.start();
  const { stateStore } = options;
  const { clock } = options.callee ?? {};
  const ends = {
    ...{ dialer: workers, address: host.address, drainTimeoutMs: 200 },
    ...(clock === undefined ? {} : { heartbeatMs: 0, keepAliveMs: 0 }),
  };
  const caller = new WorkerRuntime({ ...ends, ...options.caller });
  const callee = new WorkerRuntime({ ...ends, ...options.callee, stateStore });
  await Promise.all([caller.start(), callee.start()]);
  return {
    caller,
    callee,
    close: async () => {
      await Promise.all([caller.stop(), callee.stop()]);
      await host.stop({ graceMs: 0 });
      await store.close();
    },
  };
};

/** The worker's own store keeps the states of its agents alone. */
const deviations = {
  "calls-have-wire-ids": "the callee sees the request id on the wire (protocol.md §5.9)",
  "keeps-nothing":
    "the worker has the store of these tests; its host keeps messages in its own, and no reminders of such a worker",
};

const overMemory = () => {
  const network = createMemoryNetwork();
  return { dialer: network, listener: network };
};

describeAgentRuntime(
  "two workers over gRPC",
  twoWorkers(() => ({ dialer: grpcDialer(), listener: grpcListener() })),
  deviations,
);
describeAgentRuntime("two workers at a host of a cluster, over the memory link", underLease, deviations);
describeAgentRuntime("two workers over the memory link, with states at the host", twoWorkers(overMemory, "host"), {
  "calls-have-wire-ids": deviations["calls-have-wire-ids"],
});
