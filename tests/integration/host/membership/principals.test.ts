import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, defineState, handlerTable, persistentAgent } from "../../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime } from "../../../../src/grpc/index.ts";
import type { CallContext } from "../../../../src/transport/index.ts";
import { type ClusterHostRig, clusterTransports } from "../../../support/cluster-rig.ts";
import { Opened } from "../../../support/opened.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { sharedMemoryStores } from "../../../support/shared-memory-store.ts";

const Total = defineState(z.object({ total: z.number() }), { initial: { total: 1 } });
const Wake = defineMessage("WakeCounter", z.object({}));
class Counter extends persistentAgent(Total) {
  static override readonly handlers = handlerTable<Counter>().rpc(Wake, () => undefined);
}
const opened: Opened[] = [];

afterEach(async () => {
  for (const one of opened.splice(0)) await one[Symbol.asyncDispose]();
});

const authorize = ({ metadata }: CallContext) => ({ name: metadata.authorization ?? "nobody" });

/** A worker in the name of a principal. */
async function worker({ host }: ClusterHostRig, name: string, open: Opened): Promise<GrpcWorkerAgentRuntime> {
  const metadata = { authorization: name };
  const runtime = open.use(
    new GrpcWorkerAgentRuntime(host.address, { channelOptions: { metadata }, logger: new RecordingLogger() }),
  );
  await runtime.start();
  return runtime;
}

const overGrpc = clusterTransports.filter(({ name }) => name === "gRPC");

describe.each(overGrpc)("hosts of a cluster that know their callers", ({ start }) => {
  it.each(["exclusive", "shared"] as const)(
    "let workers of the principal save, load and end agents of a type that is %s through another host, and no others",
    async (sharing) => {
      const open = new Opened();
      opened.push(open);
      const stores = sharedMemoryStores();
      const rig = open.use(await start({ host: { authorize, ownOnly: false, stateStore: stores() } }));
      const serving = await worker(rig.two, "alice", open);
      await Counter.register(serving, "counter", () => new Counter("counts"), { shared: sharing === "shared" });
      const id = new AgentId("counter", "k");
      const [own, stranger] = [await worker(rig.one, "alice", open), await worker(rig.one, "bob", open)];
      own.addMessageSerializer(Wake);
      await own.sendMessage(Wake({}), id);
      const saved = (total: number) => ({ version: 1, state: { total } });
      const refusals = [
        () => stranger.agentSaveState(id),
        () => stranger.agentLoadState(id, saved(9)),
        () => stranger.destroyAgent(id),
      ];
      for (const refused of refusals)
        await expect(refused()).rejects.toThrow("A worker of another principal serves this agent");
      expect(await own.agentSaveState(id)).toEqual(saved(1));
      await own.agentLoadState(id, saved(7));
      expect(await own.agentSaveState(id)).toEqual(saved(7));
      await own.destroyAgent(id);
    },
  );
});
