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

/** Two workers on one host of ours. */
function twoWorkers(ends: () => { readonly dialer: Dialer; readonly listener: Listener }): MakeWorld {
  return async (options) => {
    const { dialer, listener } = ends();
    const host = new Host({ listener, address: "127.0.0.1:0" });
    await host.start();
    const { address } = host;
    const caller = new WorkerRuntime({ dialer, address, ...options.caller });
    const callee = new WorkerRuntime({ dialer, address, ...options.callee });
    await Promise.all([caller.start(), callee.start()]);
    return {
      caller,
      callee,
      close: async () => {
        await Promise.all([caller.stop(), callee.stop()]);
        await host.stop(0);
      },
    };
  };
}

const deviations = {
  "calls-have-wire-ids": "the callee sees the request id on the wire (protocol.md §5.9)",
  "signal-stays-with-caller": "nothing about a call that was given up travels (protocol.md §5.6)",
};

const overMemory = () => {
  const network = createMemoryNetwork();
  return { dialer: network, listener: network };
};

describeAgentRuntime("two workers over the memory link", twoWorkers(overMemory), deviations);
describeAgentRuntime(
  "two workers over gRPC",
  twoWorkers(() => ({ dialer: grpcDialer(), listener: grpcListener() })),
  deviations,
);
