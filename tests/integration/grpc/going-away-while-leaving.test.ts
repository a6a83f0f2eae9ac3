import { expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { seededRandom } from "../../../src/testing/index.ts";
import { GoAwayProxy } from "../../support/goaway-proxy.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";

const keys = ["a", "b", "c", "d", "e", "f"] as const;
const goAways = 6;

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

for (const seed of [1, 2, 3])
  test(`agents that leave while GOAWAYs move their workers answer each call, and get each event once (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const logger = new RecordingLogger();
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
    await host.start();
    await using proxy = await new GoAwayProxy(host.address).listen();
    const openWorker = (address: string) => {
      const worker = new GrpcWorkerAgentRuntime(address, { logger, reconnect: { initialDelayMs: 1, maxDelayMs: 5 } });
      worker.addMessageSerializer([Ask, Reply]);
      return worker;
    };
    await using one = openWorker(proxy.address);
    await using two = openWorker(proxy.address);
    await using caller = openWorker(host.address);
    /** The numbers of what the agents of all workers have handled. */
    const came = new Map<string, number[]>();
    const running = new Set<string>();
    let atOnce = 0;
    const factory = () =>
      new FunctionAgent(async (message, { topicId }, { id }) => {
        const { content } = message as { readonly content: string };
        if (running.has(id.key)) atOnce += 1;
        running.add(id.key);
        await turns(random.between(0, 3));
        const what = `${topicId === undefined ? "calls" : "events"} of ${id.key}`;
        came.set(what, [...(came.get(what) ?? []), Number(content)]);
        running.delete(id.key);
        return topicId === undefined ? Reply({ content }) : undefined;
      });
    for (const worker of [one, two]) {
      const subscriptions = [new TypeSubscription("news", "room")];
      await worker.registerFactory("room", factory, { shared: true, concurrency: "sequential", subscriptions });
      await worker.start();
    }
    await caller.start();

    const work: Promise<unknown>[] = [];
    const failed: string[] = [];
    const asked = new Map<string, number>();
    let [number, left, sent] = [0, 0, 0];
    while (sent < goAways || left < 8) {
      number += 1;
      const key = random.pick(keys);
      const content = `${number}`;
      const call = caller.sendMessage(Ask({ content }), new AgentId("room", key), { waitForTarget: 20_000 });
      work.push(
        call.then(
          () => asked.set(key, (asked.get(key) ?? 0) + 1),
          (error: unknown) => failed.push(`${content}: ${error}`),
        ),
      );
      await caller.publishMessage(Ask({ content }), new TopicId("news", key));
      if (random.next() < 0.2) {
        const id = new AgentId("room", random.pick(keys));
        const count = () => {
          left += 1;
        };
        // It fails while no worker has its control channel and the type on one connection, and for an agent that leaves already.
        work.push(
          random
            .pick([one, two] as const)
            .deactivateAgent(id)
            .then(count, () => undefined),
        );
      }
      const [first, ...others] = proxy.takingStreams;
      if (sent < goAways && first !== undefined && random.next() < 0.05) {
        random.pick([first, ...others]).goAway(random.pick(["taken", "turned away"]));
        sent += 1;
      }
      await turns(random.between(0, 10));
    }
    await Promise.all(work);
    expect(failed).toEqual([]);
    const eventsOf = (key: string) => came.get(`events of ${key}`) ?? [];
    // The host cuts off a channel whose end takes too long, and counts what it had not sent there.
    const counted = () => keys.flatMap(eventsOf).length + host.counters().lostEvents;
    await expect.poll(counted, { timeout: 10_000 }).toBe(number);
    expect(atOnce).toBe(0);
    for (const key of keys) {
      const calls = came.get(`calls of ${key}`) ?? [];
      expect(new Set(calls).size).toBe(calls.length);
      expect(calls).toHaveLength(asked.get(key) ?? 0);
      expect(new Set(eventsOf(key)).size).toBe(eventsOf(key).length);
    }
    expect(host.counters()).toMatchObject({ heldMessages: 0, pendingCalls: 0, droppedEvents: 0, unroutableEvents: 0 });
    expect([one.counters().droppedEvents, two.counters().droppedEvents]).toEqual([0, 0]);
  });
