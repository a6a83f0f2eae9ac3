import { describe, expect, it } from "vitest";
import * as z from "zod";
import { MemoryCoordinationStore } from "../../../../src/cluster/index.ts";
import { AgentId, defineMessage } from "../../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../../src/grpc/index.ts";
import { Opened } from "../../../support/opened.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { FunctionAgent } from "../../../support/worker/function-agent.ts";

const Work = defineMessage("Work", z.object({ number: z.number() }));
const callers = 8;

/** A host of a cluster on loopback. */
async function startHost(store: MemoryCoordinationStore): Promise<GrpcWorkerAgentRuntimeHost> {
  const cluster = { store, peerAddress: "127.0.0.1:0" };
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { cluster });
  await host.start();
  return host;
}

describe("hosts of a cluster that are restarted one after the other", { timeout: 120_000 }, () => {
  it("lose no call of Troupe's workers, and none is handled twice", async () => {
    await using opened = new Opened();
    await using store = new MemoryCoordinationStore();
    const hosts = [await startHost(store), await startHost(store), await startHost(store)];
    const addresses = hosts.map(({ address }) => address);
    const worker = async (address: string): Promise<GrpcWorkerAgentRuntime> => {
      const runtime = new GrpcWorkerAgentRuntime(address, { logger: new RecordingLogger() });
      runtime.addMessageSerializer(Work);
      await runtime.start();
      return opened.use(runtime);
    };
    const [first = "", second = ""] = addresses;
    const serving = await worker(first);
    const handled = new Map<number, number>();
    await serving.registerFactory(
      "writer",
      () =>
        new FunctionAgent((message) => {
          const { number } = message as { readonly number: number };
          handled.set(number, (handled.get(number) ?? 0) + 1);
          return message;
        }),
    );
    const calling = await worker(second);
    let [isOver, sent, answered] = [false, 0, 0];
    let onAnswer = (): void => {};
    const call = async (): Promise<void> => {
      while (!isOver) {
        sent += 1;
        const number = sent;
        expect(await calling.sendMessage(Work({ number }), new AgentId("writer", "k"))).toEqual(Work({ number }));
        answered += 1;
        onAnswer();
      }
    };
    const answers = (count: number): Promise<void> =>
      new Promise((resolve) => {
        const until = answered + count;
        onAnswer = () => {
          if (answered >= until) resolve();
        };
      });
    const load = Promise.all(Array.from({ length: callers }, call));
    for (const old of [...hosts]) {
      await Promise.race([answers(50), load]);
      hosts.push(await startHost(store));
      await Promise.race([old.stop(), load]);
      await Promise.race([answers(50), load]);
    }
    isOver = true;
    await load;
    expect([...handled.values()].filter((times) => times !== 1)).toEqual([]);
    expect(handled.size).toBe(answered);
    for await (const status of calling.status()) {
      if (status.at === "connected") expect(addresses).not.toContain(status.address);
      break;
    }
    for (const host of hosts) await host.stop(0);
  });
});
