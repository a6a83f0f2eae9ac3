import { expect, test } from "vitest";
import { AgentId, TopicId, TypeSubscription, type UndeliverableException } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../src/grpc/index.ts";
import { seededRandom } from "../../../src/testing/index.ts";
import { GoAwayProxy } from "../../support/goaway-proxy.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { Ask, MyMessage, Reply } from "../../support/worker/messages.ts";

const goAways = 10;

/** Remembers what came, and how often. */
class Ledger {
  readonly came: string[] = [];

  note(message: unknown): string {
    const { content } = message as { readonly content: string };
    this.came.push(content);
    return content;
  }
}

function openWorker(address: string, logger: RecordingLogger): GrpcWorkerAgentRuntime {
  const worker = new GrpcWorkerAgentRuntime(address, {
    ...{ logger, reconnect: { initialDelayMs: 1, maxDelayMs: 5 } },
  });
  worker.addMessageSerializer([Ask, Reply, MyMessage]);
  return worker;
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

for (const seed of [1, 2, 3])
  test(`GOAWAYs at random moments lose no message and no registration, and double none (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const logger = new RecordingLogger();
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
    await host.start();
    await using proxy = await new GoAwayProxy(host.address).listen();
    await using moved = openWorker(proxy.address, logger);
    await using still = openWorker(host.address, logger);
    const [atMoved, atStill] = [new Ledger(), new Ledger()];
    const answering = (ledger: Ledger) => () =>
      new FunctionAgent(async (message) => {
        const content = ledger.note(message);
        await turns(random.between(0, 5));
        return Reply({ content });
      });
    const noting = (ledger: Ledger) => () => new FunctionAgent((message) => void ledger.note(message));
    const [eventsAtMoved, eventsAtStill] = [new Ledger(), new Ledger()];
    for (const [worker, name, calls, events] of [
      [moved, "moved", atMoved, eventsAtMoved],
      [still, "still", atStill, eventsAtStill],
    ] as const) {
      await worker.registerFactory(name, answering(calls));
      await worker.registerFactory(`${name}-events`, noting(events), {
        subscriptions: [new TypeSubscription(`to-${name}`, `${name}-events`)],
      });
      await worker.start();
    }

    const work: Promise<unknown>[] = [];
    const outcomes: Record<string, string> = {};
    let number = 0;
    const begin = (what: string, promise: Promise<unknown>) => {
      const key = `${what} ${number}`;
      const settle = (outcome: string) => {
        outcomes[key] = outcome;
      };
      work.push(
        promise.then(
          () => settle("done"),
          (error: unknown) =>
            settle(`${error} (${(error as UndeliverableException).notHandled ? "not handled" : "?"})`),
        ),
      );
    };
    const actions = {
      callOut: (content: string) =>
        begin(
          "call out",
          moved.sendMessage(Ask({ content }), new AgentId("still", "k")).then((answer) => {
            expect(answer.content).toBe(content);
          }),
        ),
      eventOut: (content: string) =>
        begin("event out", moved.publishMessage(MyMessage({ content }), new TopicId("to-still", "k"))),
      callIn: (content: string) => begin("call in", still.sendMessage(Ask({ content }), new AgentId("moved", "k"))),
      eventIn: (content: string) =>
        begin("event in", still.publishMessage(MyMessage({ content }), new TopicId("to-moved", "k"))),
      type: (content: string) => {
        begin(
          "type",
          moved.registerFactory(`type-${content}`, () => new FunctionAgent()),
        );
      },
      subscribe: (content: string) => {
        begin("subscribe", moved.addSubscription(new TypeSubscription(`topic-${content}`, "moved", content)));
      },
      unsubscribe: async (content: string) => {
        const id = `gone-${content}`;
        begin(
          "unsubscribe",
          moved
            .addSubscription(new TypeSubscription(`topic-${id}`, "moved", id))
            .then(() => moved.removeSubscription(id)),
        );
      },
    };
    const sent: Record<keyof typeof actions, string[]> = {
      ...{ callOut: [], eventOut: [], callIn: [], eventIn: [], type: [], subscribe: [], unsubscribe: [] },
    };
    const messagesIn = ["callIn", "eventIn"] as const;
    const messagesOut = ["callOut", "eventOut"] as const;
    const registrations = ["type", "subscribe", "unsubscribe"] as const;
    // While nothing comes in, the worker may leave its old connections.
    let partIn = 0;
    for (let sentGoAways = 0; sentGoAways < goAways; ) {
      number += 1;
      if (number % 200 === 1) partIn = random.pick([0, 0.02, 0.5]);
      const messages = random.next() < partIn ? messagesIn : messagesOut;
      const action = random.next() < 0.1 ? random.pick(registrations) : random.pick(messages);
      sent[action].push(String(number));
      actions[action](String(number));
      const [first, ...others] = proxy.takingStreams;
      if (first !== undefined && random.next() < 0.05) {
        random.pick([first, ...others]).goAway(random.pick(["taken", "turned away"]));
        sentGoAways += 1;
      }
      await turns(random.between(0, 10));
    }
    await Promise.all(work);
    // While the worker registers anew, the host does not find its agents. All else succeeds.
    const failed = Object.entries(outcomes).filter(([, outcome]) => outcome !== "done");
    const isExpected = (what: string, outcome: string) =>
      what.startsWith("call in") && outcome.startsWith("UndeliverableException") && outcome.endsWith("(not handled)");
    expect(failed.filter(([what, outcome]) => !isExpected(what, outcome))).toEqual([]);
    const failedCalls = new Set(failed.map(([what]) => what.split(" ").at(-1)));
    // Nothing runs any more: the worker leaves its old connections, and registers on the last one.
    while (proxy.openCount > 1) await turns(1);
    await moved.registerFactory("last", () => new FunctionAgent());
    // Events that are under way arrive before these.
    for (const [from, to, ledger] of [
      [moved, "to-still", eventsAtStill],
      [still, "to-moved", eventsAtMoved],
    ] as const) {
      await from.publishMessage(MyMessage({ content: "end" }), new TopicId(to, "k"));
      while (!ledger.came.includes("end")) await turns(1);
    }
    expect(atStill.came.toSorted()).toEqual(sent.callOut.toSorted());
    expect(eventsAtStill.came).toEqual([...sent.eventOut, "end"]);
    expect(new Set(atMoved.came).size).toBe(atMoved.came.length);
    const answered = sent.callIn.filter((one) => !failedCalls.has(one));
    expect(answered.filter((one) => !atMoved.came.includes(one))).toEqual([]);
    const cameIn = new Set(eventsAtMoved.came);
    expect(eventsAtMoved.came).toEqual([...sent.eventIn.filter((one) => cameIn.has(one)), "end"]);
    const { types, sessions } = await host.inspect();
    const owner = types.find(({ agentType }) => agentType === "moved")?.owners[0];
    const registered = types.filter(({ owners }) => owners[0] === owner).map(({ agentType }) => agentType);
    const own = ["moved", "moved-events", "last", ...sent.type.map((content) => `type-${content}`)];
    expect(registered.toSorted()).toEqual(own.toSorted());
    expect(sessions.find(({ clientId }) => clientId === owner)?.subscriptionCount).toBe(sent.subscribe.length + 1);
    expect(moved.counters()).toMatchObject({ lostEvents: 0, unconfirmedEvents: 0, reconnections: 0 });
    expect(proxy.endedCount).toBe(goAways);
  });

test("calls that wait for their target all get their answers, and are handled once, while GOAWAYs move their worker", async () => {
  const logger = new RecordingLogger();
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
  await host.start();
  await using proxy = await new GoAwayProxy(host.address).listen();
  await using moved = openWorker(proxy.address, logger);
  await using still = openWorker(host.address, logger);
  const ledger = new Ledger();
  await moved.registerFactory("moved", () => new FunctionAgent((message) => Reply({ content: ledger.note(message) })));
  await Promise.all([moved.start(), still.start()]);
  let number = 0;
  let isOver = false;
  const callOn = async () => {
    while (!isOver) {
      number += 1;
      const content = String(number);
      const answer = still.sendMessage(Ask({ content }), new AgentId("moved", "k"), { waitForTarget: 20_000 });
      expect((await answer).content).toBe(content);
      await turns(2);
    }
  };
  const callers = Promise.all(Array.from({ length: 8 }, callOn));
  for (let round = 1; round <= 5; round += 1) {
    while (proxy.takingStreams.length === 0) await turns(1);
    const before = number;
    while (number < before + 50) await turns(1);
    proxy.takingStreams[0]?.goAway(round % 2 === 0 ? "taken" : "turned away");
    while (proxy.endedCount < round) await turns(1);
  }
  isOver = true;
  await callers;
  expect(new Set(ledger.came).size).toBe(number);
  expect(ledger.came).toHaveLength(number);
});
