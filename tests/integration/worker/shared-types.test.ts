import { describe, expect, test } from "vitest";
import { AgentId, BaseAgent, TopicId, TypeSubscription } from "../../../src/core/index.ts";
import type { WorkerRuntime } from "../../../src/worker/index.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, Reply } from "../../support/worker/messages.ts";
import { startRig, type Transport, type WorkerRig } from "../../support/worker/worker-rig.ts";

const keys = Array.from({ length: 20 }, (_, at) => `k${at}`);

/** A worker whose agents of the shared type `room` answer with its name and the number of their messages. */
async function roomWorker(rig: WorkerRig, name: string, options: object = {}) {
  const worker = await rig.worker({ name, ...options });
  const events: string[] = [];
  const made: string[] = [];
  worker.addMessageSerializer([Ask, Reply]);
  const factory = () => {
    let messages = 0;
    return new FunctionAgent((message, { topicId }, { id }) => {
      if (messages === 0) made.push(id.key);
      messages += 1;
      if (topicId === undefined) return Reply({ content: `${name} ${messages}` });
      events.push(`${id} ${(message as { content: string }).content}`);
      return undefined;
    });
  };
  const subscriptions = [new TypeSubscription("news", "room")];
  await worker.registerFactory("room", factory, { shared: true, subscriptions });
  return { worker, events, made };
}

async function ask(worker: WorkerRuntime, key: string): Promise<string> {
  return (await worker.sendMessage(Ask({ content: "who?" }), new AgentId("room", key))).content;
}

async function asker(rig: WorkerRig): Promise<WorkerRuntime> {
  const worker = await rig.worker();
  worker.addMessageSerializer([Ask, Reply]);
  return worker;
}

/** Resolves when it holds; each turn of the event loop is a chance for frames to come. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

const transports: readonly Transport[] = ["memory", "gRPC"];

describe.each(transports)("a shared agent type, over %s", (transport) => {
  test("is served by three workers, each agent by one of them, with the state in its memory", async () => {
    await using rig = await startRig(transport);
    const workers = [await roomWorker(rig, "A"), await roomWorker(rig, "B"), await roomWorker(rig, "C")];
    const caller = await asker(rig);
    const first = new Map<string, string>();
    for (const key of keys) first.set(key, await ask(caller, key));
    for (const key of keys) {
      // Another worker's agent reaches the same agent.
      const answer = await ask(workers[0]?.worker ?? caller, key);
      expect([first.get(key), answer]).toEqual([expect.stringMatching(/ 1$/), first.get(key)?.replace(" 1", " 2")]);
    }
    expect(workers.flatMap(({ made }) => made).sort()).toEqual([...keys].sort());
    for (const { made } of workers) expect(made.length).toBeGreaterThan(0);
  });

  test("gets each event once, in the agent that calls reach", async () => {
    await using rig = await startRig(transport);
    const workers = [await roomWorker(rig, "A"), await roomWorker(rig, "B")];
    const caller = await asker(rig);
    // For its sake the first worker gets every event, and must leave the agents of the second alone.
    const audit = { subscriptions: [new TypeSubscription("news", "audit")] };
    await workers[0]?.worker.registerFactory("audit", () => new FunctionAgent(), audit);
    for (const key of keys) await caller.publishMessage(Ask({ content: "one" }), new TopicId("news", key));
    await until(() => workers.reduce((sum, { events }) => sum + events.length, 0) >= keys.length);
    for (const key of keys) expect(await ask(caller, key)).toMatch(/ 2$/);
    expect(workers.flatMap(({ events }) => events).sort()).toEqual(keys.map((key) => `room/${key} one`).sort());
    for (const { events } of workers) expect(events.length).toBeGreaterThan(0);
  });

  test("gets the events and calls of one sender in their order", async () => {
    await using rig = await startRig(transport);
    const workers = [await roomWorker(rig, "A"), await roomWorker(rig, "B")];
    const caller = await asker(rig);
    const sent = Array.from({ length: 50 }, (_, at) => String(at));
    for (const content of sent) await caller.publishMessage(Ask({ content }), new TopicId("news", "k"));
    expect(await ask(caller, "k")).toMatch(new RegExp(` ${sent.length + 1}$`));
    expect(workers.flatMap(({ events }) => events)).toEqual(sent.map((content) => `room/k ${content}`));
  });

  test("goes on at another worker when the agent's own is stopped", async () => {
    await using rig = await startRig(transport);
    const workers = [await roomWorker(rig, "A"), await roomWorker(rig, "B")];
    const caller = await asker(rig);
    const before = await Promise.all(keys.map((key) => ask(caller, key)));
    await workers[0]?.worker.stop();
    const after = await Promise.all(keys.map((key) => ask(caller, key)));
    for (const [at, answer] of after.entries()) expect(answer).toBe(before[at] === "A 1" ? "B 1" : "B 2");
    expect(rig.host.counters().claims).toBe(keys.length);
  });

  test("goes to workers with the labels that its class requires, and to the newest version", async () => {
    class Painter extends BaseAgent {
      static override readonly shared = true;
      static override readonly placement = "round-robin";
      static override readonly requires = { gpu: "true" };
      protected override onMessageImpl() {
        return Reply({ content: this.metadata.description });
      }
    }
    await using rig = await startRig(transport);
    const machines = [
      { name: "small" },
      { name: "old", labels: { gpu: "true" }, version: "1.9" },
      { name: "new", labels: { gpu: "true", zone: "a, b" }, version: "1.10" },
    ];
    for (const machine of machines) {
      const worker = await rig.worker(machine);
      worker.addMessageSerializer([Ask, Reply]);
      await Painter.register(worker, "painter", () => new Painter(machine.name));
    }
    const caller = await asker(rig);
    for (const key of keys.slice(0, 5)) {
      const { content } = await caller.sendMessage(Ask({ content: "who?" }), new AgentId("painter", key));
      expect(content).toBe("new");
    }
  });

  test("is refused where another worker has the type for itself", async () => {
    await using rig = await startRig(transport);
    const alone = await asker(rig);
    await alone.registerFactory("room", () => new FunctionAgent());
    await expect(roomWorker(rig, "A")).rejects.toMatchObject({ code: "already-exists" });
  });
});

test("agents of shared types end with the host that the worker loses, and those of other types live on", async () => {
  await using rig = await startRig("memory");
  const ended: string[] = [];
  const worker = await rig.worker({ reconnect: { initialDelayMs: 1 } });
  worker.addMessageSerializer([Ask, Reply]);
  class Counted extends FunctionAgent {
    override close(): void {
      ended.push(this.id.type);
    }
  }
  const factory = () => new Counted(() => Reply({ content: "here" }));
  await worker.registerFactory("room", factory, { shared: true });
  await worker.registerFactory("desk", factory);
  for (const type of ["room", "desk"]) await worker.sendMessage(Ask({ content: "x" }), new AgentId(type, "k"));
  cutOff(rig);
  await until(() => ended.length > 0);
  expect(ended).toEqual(["room"]);
});

/** The host cuts its only worker off: another channel takes its client id. */
function cutOff(rig: WorkerRig): void {
  const [session] = rig.host.sessions();
  const link = rig.dialer.dial(rig.host.address);
  const receiver = {
    onMetadata() {},
    onFrame() {},
    onHalfClose() {},
    onBadFrame() {},
    onDrain() {},
    onEnd() {},
    onLate() {},
  };
  const metadata = { "client-id": session?.clientId ?? "" };
  link.openStream("OpenChannel", receiver, { metadata });
}
