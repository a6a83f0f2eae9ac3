import { describe, expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { startRig, type Transport, type WorkerRig } from "../../support/worker/worker-rig.ts";

/** What the agents of all workers have handled, in its order, by key. */
type Log = Map<string, string[]>;

/** A worker of the shared type `room`. Its agents note what they handle, and take a few turns of the event loop for each call. */
async function roomWorker(rig: WorkerRig, name: string, log: Log): Promise<WorkerRuntime> {
  const worker = await rig.worker({ name });
  worker.addMessageSerializer([Ask, Reply]);
  const factory = () =>
    new FunctionAgent(async (message, { topicId }, { id }) => {
      const { content } = message as { content: string };
      if (topicId === undefined) for (let turn = 0; turn < 5; turn += 1) await new Promise(setImmediate);
      log.set(id.key, [...(log.get(id.key) ?? []), content]);
      return topicId === undefined ? Reply({ content: name }) : undefined;
    });
  const subscriptions = [new TypeSubscription("news", "room")];
  await worker.registerFactory("room", factory, { shared: true, concurrency: "sequential", subscriptions });
  return worker;
}

const keys = Array.from({ length: 12 }, (_, at) => `k${at}`);
const rounds = 25;

/** Sends each agent numbered calls and events, many at once; `atHalf` runs in the middle. */
async function load(caller: WorkerRuntime, atHalf: () => void): Promise<readonly string[]> {
  const answers: Promise<{ readonly content: string }>[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round === Math.floor(rounds / 2)) atHalf();
    for (const key of keys) {
      answers.push(caller.sendMessage(Ask({ content: `call ${round}` }), new AgentId("room", key)));
      await caller.publishMessage(Ask({ content: `event ${round}` }), new TopicId("news", key));
    }
    await new Promise(setImmediate);
  }
  return (await Promise.all(answers)).map(({ content }) => content);
}

/** Resolves when it holds; each turn of the event loop is a chance for frames to come. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

const expected = Array.from({ length: rounds }, (_, round) => [`call ${round}`, `event ${round}`]).flat();
const transports: readonly Transport[] = ["memory", "gRPC"];

describe.each(transports)("agents of shared types under load, over %s", (transport) => {
  test.each(["stops", "is drained by an operator"])(
    "move when their worker %s: no call fails, each event comes once, each sender's order stays",
    async (how) => {
      await using rig = await startRig(transport);
      const log: Log = new Map();
      const leaver = await roomWorker(rig, "A", log);
      await roomWorker(rig, "B", log);
      await roomWorker(rig, "C", log);
      const caller = await rig.worker();
      caller.addMessageSerializer([Ask, Reply]);
      let ended: Promise<unknown> = Promise.resolve();
      const answers = await load(caller, () => {
        if (how === "stops") ended = leaver.stop();
        else ended = drainNamed(rig, "A");
      });
      expect(answers).toHaveLength(rounds * keys.length);
      expect(new Set(answers)).toEqual(new Set(["A", "B", "C"]));
      const outcome = await ended;
      if (how !== "stops") expect(outcome).toMatchObject({ at: "drained", revokedAgents: 0 });
      await until(() => keys.every((key) => (log.get(key)?.length ?? 0) >= 2 * rounds));
      for (const key of keys) expect(log.get(key)).toEqual(expected);
      expect(rig.host.counters()).toMatchObject({
        ...{ failedCalls: 0, leavingAgents: 0, heldMessages: 0, revokedClaims: 0, droppedEvents: 0 },
        ...{ claims: keys.length, unmatchedReturns: 0 },
      });
    },
  );
});

async function drainNamed(rig: WorkerRig, name: string): Promise<unknown> {
  const { workers } = await rig.host.inspect();
  const found = workers.find((worker) => worker.name === name);
  return rig.host.drainWorker(found?.workerId ?? "");
}
