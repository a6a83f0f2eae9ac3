import { describe } from "vitest";
import { SingleThreadedAgentRuntime } from "../../src/core/index.ts";
import { Host } from "../../src/host/index.ts";
import { createMemoryNetwork } from "../../src/transport/index.ts";
import { WorkerRuntime } from "../../src/worker/index.ts";
import { RecordingLogger } from "../support/recording-logger.ts";
import { describeRoutes } from "./gateway/routes.ts";
import type { OpenWorld } from "./gateway/world.ts";

const inProcess: OpenWorld = async () => {
  const runtime = new SingleThreadedAgentRuntime({ logger: new RecordingLogger() });
  await runtime.start();
  return { front: runtime, agents: runtime, close: () => runtime.close() };
};

/** The gateway is at one worker, and the agents at another. */
const overAHost: OpenWorld = async () => {
  const network = createMemoryNetwork();
  const host = new Host({ listener: network, address: "127.0.0.1:0" }, { logger: new RecordingLogger() });
  await host.start();
  const options = { dialer: network, address: host.address, logger: new RecordingLogger(), drainTimeoutMs: 200 };
  const [front, agents] = [new WorkerRuntime(options), new WorkerRuntime(options)];
  await Promise.all([front.start(), agents.start()]);
  return {
    front,
    agents,
    close: async () => {
      await Promise.all([front.stop(), agents.stop()]);
      await host.stop({ graceMs: 0 });
    },
  };
};

describe("a gateway in one process with its agents", () => describeRoutes(inProcess));
describe("a gateway at a worker of a host", () => describeRoutes(overAHost));
