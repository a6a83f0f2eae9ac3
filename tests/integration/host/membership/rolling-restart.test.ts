import { describe, expect, it } from "vitest";
import * as z from "zod";
import { MemoryCoordinationStore } from "../../../../src/cluster/index.ts";
import { AgentId, defineMessage } from "../../../../src/core/index.ts";
import type { DurableLog } from "../../../../src/core/internal.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../../src/grpc/index.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { Inbox } from "../../../support/inbox.ts";
import { Opened } from "../../../support/opened.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { FunctionAgent } from "../../../support/worker/function-agent.ts";

const Work = defineMessage("Work", z.object({ number: z.number() }));
const callers = 8;
/** In many shards, so that each host delivers to some of them. */
const readers = Array.from({ length: 8 }, (_, index) => `r${index}`);

/** A host of a cluster on loopback. */
async function startHost(
  store: MemoryCoordinationStore,
  log?: DurableLog | undefined,
): Promise<GrpcWorkerAgentRuntimeHost> {
  const cluster = { store, peerAddress: "127.0.0.1:0", log };
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { cluster });
  await host.start();
  return host;
}

describe("hosts of a cluster that are restarted one after the other", { timeout: 120_000 }, () => {
  it("lose no call and no told message of Troupe's workers, and none is handled twice", async () => {
    await using opened = new Opened();
    await using store = new MemoryCoordinationStore();
    const mail = opened.use(new MemoryStateStore());
    await mail.open();
    const start = () => startHost(store, mail.log);
    const hosts = [await start(), await start(), await start()];
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
    const told = new Inbox<string>();
    await serving.registerFactory(
      "reader",
      () =>
        new FunctionAgent((message, _context, agent) => {
          const { number } = message as { readonly number: number };
          told.put(`${agent.id.key} ${number}`);
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
    const tell = async (): Promise<number> => {
      for (let number = 1; ; number += 1) {
        for (const key of readers) await calling.tell(Work({ number }), new AgentId("reader", key));
        if (isOver) return number;
      }
    };
    const answers = (count: number): Promise<void> =>
      new Promise((resolve) => {
        const until = answered + count;
        onAnswer = () => {
          if (answered >= until) resolve();
        };
      });
    const telling = tell();
    const load = Promise.all(Array.from({ length: callers }, call));
    for (const old of [...hosts]) {
      await Promise.race([answers(50), load]);
      hosts.push(await start());
      await Promise.race([old.stop(), load]);
      await Promise.race([answers(50), load]);
    }
    isOver = true;
    await load;
    const newest = await telling;
    const numbers = Array.from({ length: newest }, (_, index) => index + 1);
    const all = await told.takeMany(newest * readers.length);
    for (const key of readers) {
      const ofKey = all.filter((each) => each.startsWith(`${key} `));
      expect(ofKey).toEqual(numbers.map((number) => `${key} ${number}`));
    }
    expect([...handled.values()].filter((times) => times !== 1)).toEqual([]);
    expect(handled.size).toBe(answered);
    for await (const status of calling.status()) {
      if (status.at === "connected") expect(addresses).not.toContain(status.address);
      break;
    }
    for (const host of hosts) await host.stop(0);
  });
});
