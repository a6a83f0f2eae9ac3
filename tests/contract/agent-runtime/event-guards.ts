import { describe, expect, test } from "vitest";
import {
  AgentId,
  type MessageContext,
  type PublishOptions,
  TopicId,
  TypeSubscription,
  withScope,
} from "../../../src/core/index.ts";
import { MemoryStateStore } from "../../../src/storage/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { Gate } from "../../support/gate.ts";
import { WatchedStore } from "../../support/watched-store.ts";
import { type Body, id as keeperId, openCast } from "./keepers.ts";
import { passTime } from "./told.ts";
import { Answer, Ask, type Handle, Note, Order, Probe, type Stage, type Suite, type WorldOptions } from "./world.ts";

const guards = { events: { maxDepth: 4 } };
const bounded: WorldOptions = { caller: { guards }, callee: { guards } };

type Concurrency = "sequential" | "interleaved";

/** Registers agents that get the events of the topic that is called as their type. */
async function play(
  stage: Stage,
  type: string,
  handle: Handle,
  how: { where?: "caller" | "callee"; concurrency?: Concurrency } = {},
) {
  const { where = "callee", concurrency = "interleaved" } = how;
  await stage[where].registerFactory(type, () => new Probe(handle), { concurrency });
  await stage[where].addSubscription(new TypeSubscription(type, type));
}

function publish(probe: Probe, topic: string, options: PublishOptions = {}): Promise<void> {
  return probe.publishMessage(Note({ text: topic }), new TopicId(topic, "k"), options);
}

const warnings = (stage: Stage) => stage.logger.texts("warn").filter((text) => text.includes("option guards"));
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

const ways: [string, (context: MessageContext) => PublishOptions][] = [
  ["with its signal", ({ signal }) => ({ signal })],
  ["with a signal that has its scope", ({ scope }) => ({ signal: withScope(new AbortController().signal, scope) })],
  ["with a signal that AbortSignal.any makes of its own", ({ signal }) => ({ signal: AbortSignal.any([signal]) })],
  ["without either", () => ({})],
];

export function describeEventGuards(suite: Suite): void {
  const { openStage, unless } = suite;
  describe("events that agents answer with events", () => {
    describe.each<Concurrency>(["interleaved", "sequential"])("of %s agents", (concurrency) => {
      test.each(ways)("without end, published %s, stop at the bound", async (_way, options) => {
        await using stage = await openStage(bounded);
        const answerOn =
          (topic: string): Handle =>
          async (_message, context, probe) => {
            await turn();
            await publish(probe, topic, options(context));
            stage.texts.put(`${probe.id.type} ${context.scope.depth}`);
          };
        await play(stage, "ping", answerOn("pong"), { concurrency });
        await play(stage, "pong", answerOn("ping"), { concurrency, where: "caller" });
        const all = ["ping 1", "pong 2", "ping 3", "pong 4", "ping 5"];
        for (const dropped of [1, 2]) {
          await stage.caller.publishMessage(Note({ text: "go" }), new TopicId("ping", "k"));
          expect(await stage.texts.takeMany(5)).toEqual(all);
          expect(warnings(stage)).toHaveLength(dropped);
        }
        expect(warnings(stage)[0]).toContain("An event for pong/k was dropped: more than 4 handlers");
        expect(stage.texts.rest).toEqual([]);
      });
    });

    test("and calls, without end, stop at the bound", async () => {
      await using stage = await openStage(bounded);
      await play(stage, "ping", async (_message, { signal }, probe) => {
        const answer = await probe.sendMessage(Ask({ text: "on" }), new AgentId("relay", "k"), { signal });
        stage.texts.put(answer.text);
      });
      const relay: Handle = async (_message, { scope }, probe) => {
        await turn();
        await publish(probe, "ping");
        return Answer({ text: `relay ${scope.depth}` });
      };
      await play(stage, "relay", relay, { where: "caller" });
      await stage.caller.publishMessage(Note({ text: "go" }), new TopicId("ping", "k"));
      expect(await stage.texts.takeMany(5)).toEqual([1, 2, 3, 4, 5].map((depth) => `relay ${depth}`));
      while (warnings(stage).length === 0) await turn();
      expect(stage.texts.rest).toEqual([]);
    });

    test("are not needed: calls that each agent gives up, without end, are refused at the bound", async () => {
      await using stage = await openStage(bounded);
      let begun = new Gate();
      const asks: Handle = async (_message, { scope }, probe) => {
        stage.texts.put(`a ${scope.depth}`);
        begun = new Gate();
        const unwanted = new AbortController();
        const call = probe.sendMessage(Ask({ text: "on" }), new AgentId("b", "k"), { signal: unwanted.signal });
        await begun.opened;
        unwanted.abort();
        await call.catch(() => undefined);
        return Answer({ text: "given up" });
      };
      const goesOn: Handle = async (_message, { scope, signal }, probe) => {
        stage.texts.put(`b ${scope.depth}`);
        const isGivenUp = new Promise((resolve) => signal.addEventListener("abort", resolve));
        begun.open();
        await isGivenUp;
        const call = probe.sendMessage(Ask({ text: "back" }), new AgentId("a", "k"), { scope });
        await call.catch(({ code, message }) => stage.texts.put(`${code}: ${message}`));
        return Answer({ text: "not wanted" });
      };
      await play(stage, "a", asks, { concurrency: "sequential" });
      await play(stage, "b", goesOn, { concurrency: "sequential", where: "caller" });
      await stage.caller.sendMessage(Ask({ text: "go" }), new AgentId("a", "k"));
      const all = [0, 1, 2, 3, 4, 5].flatMap((depth) => [`a ${depth}`, `b ${depth}`]);
      expect(await stage.texts.takeMany(12)).toEqual(all);
      expect(await stage.texts.take()).toMatch(/^loop-detected: The call to a\/k was not sent: more than 4 handlers/);
    });

    test.each<[string, WorldOptions["callee"], number]>([
      ["go on if the guards are off", { guards: false }, 600],
      ["stop after 1 001 handlers by default", {}, 501],
    ])("%s", async (_what, options, pings) => {
      await using stage = await openStage({ caller: { ...options }, callee: { ...options } });
      let handled = 0;
      await play(stage, "ping", (_message, _context, probe) => {
        handled += 1;
        return handled < 600 ? publish(probe, "pong") : undefined;
      });
      await play(stage, "pong", (_message, _context, probe) => publish(probe, "ping"));
      await stage.caller.publishMessage(Note({ text: "go" }), new TopicId("ping", "k"));
      while (warnings(stage).length === 0 && handled < 600) await turn();
      expect(handled).toBe(pings);
    });

    test("begin anew with a call, also if its agent handles an event of a chain at the same time", async () => {
      await using stage = await openStage(bounded);
      const [begun, go] = [new Gate(), new Gate()];
      await play(stage, "desk", async ({ text }, { isRpc, topicId }, probe) => {
        if (!isRpc || topicId !== undefined) {
          begun.open();
          await go.opened;
          return;
        }
        await turn();
        await publish(probe, "seen");
        return Answer({ text });
      });
      await play(stage, "first", (_message, _context, probe) => publish(probe, "desk"));
      await play(stage, "seen", (_message, { scope }) => stage.texts.put(String(scope.depth)));
      await stage.caller.publishMessage(Note({ text: "go" }), new TopicId("first", "k"));
      await begun.opened;
      await stage.caller.sendMessage(Ask({ text: "hello" }), new AgentId("desk", "k"));
      expect(await stage.texts.take()).toBe("1");
      go.open();
    });

    test("of an agent that handles two at once have the count of the named handler, else the smaller one", async () => {
      await using stage = await openStage(bounded);
      const [early, late, published] = [new Gate(), new Gate(), new Gate()];
      let count = 0;
      await play(stage, "first", (_message, _context, probe) => publish(probe, "desk"));
      await play(stage, "seen", ({ text }, { scope }) => stage.texts.put(`${text} ${scope.depth}`));
      await play(stage, "desk", async ({ text }, { signal }, probe) => {
        const name = text === "early" ? "early" : "late";
        (name === "early" ? early : late).open();
        await late.opened;
        const seen = new TopicId("seen", "k");
        await probe.publishMessage(Note({ text: `${name}, named` }), seen, { signal });
        await probe.publishMessage(Note({ text: `${name}, unnamed` }), seen);
        count += 1;
        if (count === 2) published.open();
        await published.opened;
      });
      await stage.caller.publishMessage(Note({ text: "early" }), new TopicId("desk", "k"));
      await early.opened;
      await stage.caller.publishMessage(Note({ text: "go" }), new TopicId("first", "k"));
      const seen = await stage.texts.takeMany(4);
      expect(seen.sort()).toEqual(["early, named 2", "early, unnamed 2", "late, named 3", "late, unnamed 2"]);
    });

    test.each([
      ["with its commit", false],
      ["at once", true],
    ])("of a persistent agent, sent %s, stop at the bound", async (_when, immediately) => {
      const body: Body = async (text, agent) => {
        agent.state.log.push(text);
        await agent.publishMessage(Note({ text: "on" }), new TopicId("back", keeperId.key), { immediately });
      };
      await using cast = await openCast(suite, body, { world: bounded });
      const { stage } = cast;
      await stage.callee.addSubscription(new TypeSubscription("keeper", "keeper"));
      await stage.caller.registerFactory(
        "back",
        () =>
          new Probe((_message, _context, probe) =>
            probe.publishMessage(Note({ text: "again" }), new TopicId("keeper", keeperId.key)),
          ),
      );
      await stage.caller.addSubscription(new TypeSubscription("back", "back"));
      await stage.caller.publishMessage(Note({ text: "go" }), new TopicId("keeper", keeperId.key));
      while (warnings(stage).length === 0) await turn();
      // The call waits for its turn.
      await stage.caller.sendMessage(Order({ text: "show" }), keeperId, { answer: Answer });
      while ((await cast.stored()) === undefined) await turn();
      expect(await cast.seen()).toEqual({ total: 0, log: ["go", "again", "again"] });
    });
  });

  describe("told messages that agents answer with told messages", () => {
    unless("keeps-nothing", "without end, are refused as loop-detected at the bound", async () => {
      await using stage = await openStage(bounded);
      const tellOn =
        (type: string): Handle =>
        async (_message, { scope }, probe) => {
          await turn();
          const told = probe.tell(Order({ text: "on" }), new AgentId(type, "k"));
          const outcome = await told.then(
            () => "kept",
            ({ code, message }) => `${code}: ${message}`,
          );
          stage.texts.put(`${probe.id.type} ${scope.depth} ${outcome}`);
        };
      await stage.host("ping", tellOn("pong"));
      await stage.host("pong", tellOn("ping"));
      await stage.caller.tell(Order({ text: "go" }), new AgentId("ping", "k"));
      const lines = await stage.texts.takeMany(5);
      expect(lines.slice(0, 4)).toEqual(["ping 1 kept", "pong 2 kept", "ping 3 kept", "pong 4 kept"]);
      expect(lines[4]).toContain("ping 5 loop-detected: The message told to pong/k was not kept: more than 4 handlers");
    });

    unless("keeps-nothing", "and events, without end, stop at the bound", async () => {
      const sequential = { guards, sequentialAgents: true };
      await using stage = await openStage({ caller: sequential, callee: sequential });
      await stage.host("clerk", async (_message, { scope }, probe) => {
        await publish(probe, "ping");
        stage.texts.put(`clerk ${scope.depth}`);
      });
      const pong: Handle = async (_message, { scope }, probe) => {
        const told = probe.tell(Order({ text: "on" }), new AgentId("clerk", "k"));
        stage.texts.put(
          await told.then(
            () => `ping ${scope.depth}`,
            ({ code }) => code,
          ),
        );
      };
      await play(stage, "ping", pong, { concurrency: "sequential" });
      await stage.caller.tell(Order({ text: "go" }), new AgentId("clerk", "k"));
      const lines = await stage.texts.takeMany(5);
      expect(lines.filter((line) => line.startsWith("clerk"))).toEqual(["clerk 1", "clerk 3", "clerk 5"]);
      while (warnings(stage).length === 0) await turn();
      expect(warnings(stage)[0]).toContain("An event for ping/k was dropped");
    });

    unless("keeps-nothing", "in a persistent agent's turn undo it, and its message is a dead letter", async () => {
      const store = new WatchedStore();
      const body: Body = async (text, agent) => {
        agent.state.log.push(text);
        await agent.tell(Ask({ text: `${text}+` }), keeperId);
      };
      await using cast = await openCast(suite, body, { world: bounded, store });
      await cast.stage.callee.tell(Ask({ text: "go" }), keeperId);
      const letters = async () => (await store.inner.log.deadLetters({ limit: 10 })).letters;
      while ((await letters()).length === 0) await turn();
      expect((await letters()).map(({ why }) => [why.code, why.attempts])).toEqual([["loop-detected", 1]]);
      expect(await cast.stored()).toEqual({ total: 0, log: ["go", "go+", "go++", "go+++"] });
    });

    unless("keeps-nothing", "a reminder that its handler sets again and again begins anew each time", async () => {
      const clock = new ManualClock(Date.UTC(2030, 0, 1));
      const stateStore = new MemoryStateStore({ clock });
      await using stage = await openStage({ callee: { clock, guards }, caller: { guards }, stateStore });
      const desk = new AgentId("desk", "k");
      await stage.host("desk", async (_message, { reminder, scope }, probe) => {
        await probe.remindMe("again", { after: 1_000 }, Order({ text: "again" }));
        await publish(probe, "seen");
        stage.texts.put(`${reminder === undefined ? "told" : "tick"} ${scope.depth}`);
      });
      await stage.callee.tell(Order({ text: "go" }), desk);
      const ticks = Array.from({ length: 7 }, () => "tick 0");
      expect(await passTime(clock, stage.texts.takeMany(8), 250)).toEqual(["told 1", ...ticks]);
      expect(warnings(stage)).toEqual([]);
    });
  });
}
