import { describe } from "vitest";
import { WorkerRuntime } from "../../src/worker/index.ts";
import { type ClusterTransport, clusterTransports } from "../support/cluster-rig.ts";
import { sharedMemoryStores } from "../support/shared-memory-store.ts";
import { describeEndedStreams } from "./agent-runtime/ended-streams.ts";
import { describeEventGuards } from "./agent-runtime/event-guards.ts";
import { describeReEntrancy } from "./agent-runtime/re-entrancy.ts";
import { describeStreamedTurns } from "./agent-runtime/streamed-turns.ts";
import { describeStreams } from "./agent-runtime/streams.ts";
import { describeTeams } from "./agent-runtime/teams.ts";
import { createSuite, type MakeWorld } from "./agent-runtime/world.ts";

/** Two workers at two hosts of a cluster. The hosts keep the states of persistent agents in one store. */
function twoHosts({ start }: ClusterTransport): MakeWorld {
  return async (options) => {
    const storeOfHost = sharedMemoryStores(options.stateStore);
    const { clock, logger } = options.callee ?? {};
    const rig = await start({ host: () => ({ stateStore: storeOfHost(), logger }) });
    const ends = {
      ...{ dialer: rig.dialer, drainTimeoutMs: 200 },
      ...(clock === undefined ? {} : { heartbeatMs: 0, keepAliveMs: 0 }),
    };
    const caller = new WorkerRuntime({ ...ends, address: rig.one.host.address, ...options.caller });
    const callee = new WorkerRuntime({ ...ends, address: rig.two.host.address, ...options.callee });
    await Promise.all([caller.start(), callee.start()]);
    return {
      caller,
      callee,
      close: async () => {
        await Promise.all([caller.stop(), callee.stop()]);
        await rig[Symbol.asyncDispose]();
      },
    };
  };
}

describe.each(clusterTransports)(
  "streams, teams and guards between two hosts of a cluster, over $name",
  (transport) => {
    const suite = createSuite(twoHosts(transport), {
      "keeps-nothing": "the hosts of these tests have no log for the messages of the cluster",
    });
    describeStreams(suite);
    describeEndedStreams(suite);
    describeStreamedTurns(suite);
    describeTeams(suite);
    describeReEntrancy(suite);
    describeEventGuards(suite);
  },
);
