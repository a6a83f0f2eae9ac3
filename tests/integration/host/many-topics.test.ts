import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, it } from "vitest";
import { hostTransports } from "../../support/host-transports.ts";
import { prefix, RawWorker } from "../../support/raw-worker.ts";

setFlagsFromString("--expose-gc");
const collect: () => void = runInNewContext("gc");

const topics = 200_000;
const lot = 5_000;
/** Were each name kept, it would be twice this. */
const roomBytes = 20 * 2 ** 20;

const [inMemory] = hostTransports;

it("a host grows by none of the topics that it has seen, routed or not", { timeout: 120_000 }, async () => {
  if (inMemory === undefined) throw new Error("there is a memory link");
  await using rig = await inMemory.start();
  const worker = await new RawWorker(rig.dial(), "W").join();
  await worker.register("a");
  await worker.subscribe("S", prefix("heard-", "a"));
  const padding = "x".repeat(200);
  const publish = async (first: number, count: number) => {
    let heard = 0;
    for (let topic = first; topic < first + count; topic += lot) {
      for (let index = topic; index < topic + lot; index += 1) {
        worker.publish(`${index % 10 === 0 ? "heard" : "missed"}-${index}-${padding}`, `source-${index}`);
      }
      heard += (await worker.settled()).length;
    }
    return heard;
  };
  const held = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  await publish(0, lot);
  const beforeBytes = held();
  const { agentTypes, subscriptions, queuedFrames } = rig.host.counters();
  expect(await publish(lot, topics)).toBe(topics / 10);
  expect(held() - beforeBytes).toBeLessThan(roomBytes);
  expect(rig.host.counters()).toMatchObject({ agentTypes, subscriptions, queuedFrames, events: topics + lot });
});
