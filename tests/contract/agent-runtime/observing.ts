import { describe, expect, test } from "vitest";
import { AgentInstantiationContext, ambientContexts, MessageHandlerContext } from "../../../src/context/index.ts";
import {
  AgentId,
  DefaultTopicId,
  DropMessage,
  type InterventionHandler,
  type MessageLogRecord,
  type MessageLogSink,
  TopicId,
  TypeSubscription,
} from "../../../src/core/index.ts";
import { Gate } from "../../support/gate.ts";
import { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, brief, Note, Probe, type Suite } from "./world.ts";

export function describeObserving({ openStage }: Suite): void {
  describe("ambient contexts", () => {
    test("name the agent in its handlers, after awaits too, each by itself [§8.95]", async () => {
      await using stage = await openStage({
        caller: { ambient: ambientContexts },
        callee: { ambient: ambientContexts },
      });
      const gate = new Gate();
      const told = new Inbox<string>();
      await stage.host("echo", async () => {
        await gate.opened;
        told.put(MessageHandlerContext.agentId().toString());
        return Answer({ text: "" });
      });
      await stage.callee.addSubscription(new TypeSubscription("news", "echo"));
      const calls = ["a", "b"].map((key) => stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", key)));
      await stage.caller.publishMessage(Note({ text: "x" }), new TopicId("news", "c"));
      gate.open();
      await Promise.all(calls);
      expect((await told.takeMany(3)).sort()).toEqual(["echo/a", "echo/b", "echo/c"]);
    });

    test("give a default topic that a handler publishes in nobody's name the key of its agent", async () => {
      await using stage = await openStage({ callee: { ambient: ambientContexts } });
      await stage.listen("default", "reader");
      await stage.host("paper", async ({ text }) => {
        await stage.callee.publishMessage(Note({ text }), new DefaultTopicId());
        return Answer({ text });
      });
      await stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("paper", "p7"));
      await stage.callee.publishMessage(Note({ text: "x" }), new DefaultTopicId());
      expect((await stage.seen.takeMany(2)).map(({ by }) => by.toString()).sort()).toEqual([
        "reader/default",
        "reader/p7",
      ]);
    });

    test("name the agent that is being made, and its runtime", async () => {
      await using stage = await openStage({
        caller: { ambient: ambientContexts },
        callee: { ambient: ambientContexts },
      });
      const told: unknown[] = [];
      await stage.callee.registerFactory("echo", async () => {
        await Promise.resolve();
        const { currentAgentId, currentRuntime } = AgentInstantiationContext;
        told.push(currentAgentId().toString(), currentRuntime() === stage.callee);
        return new Probe(() => Answer({ text: "" }));
      });
      await stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", "k"));
      expect(told).toEqual(["echo/k", true]);
    });
  });

  describe("the message log", () => {
    test("records a call and an event at each stage, and handlers that throw", async () => {
      const told = new Inbox<string>();
      const messageLog: MessageLogSink = { withPayloads: false, emit: (record) => told.put(brief(record)) };
      await using stage = await openStage({ caller: { messageLog }, callee: { messageLog } });
      await stage.host("echo", ({ text }) => {
        if (text === "fail") throw new Error("no");
        return Answer({ text });
      });
      await stage.callee.addSubscription(new TypeSubscription("news", "echo"));
      const sender = new AgentId("user", "u");
      const id = new AgentId("echo", "k");
      await stage.caller.sendMessage(Ask({ text: "x" }), id, { sender });
      expect(await told.takeMany(4)).toEqual([
        "DIRECT/SEND user/u -> echo/k",
        "DIRECT/DELIVER user/u -> echo/k",
        "RESPOND/SEND echo/k -> user/u",
        "RESPOND/DELIVER echo/k -> user/u",
      ]);
      await stage.caller.publishMessage(Note({ text: "x" }), new TopicId("news", "k"));
      expect(await told.takeMany(2)).toEqual(["PUBLISH/SEND null -> news/k", "PUBLISH/DELIVER null -> null"]);
      await stage.caller.sendMessage(Ask({ text: "fail" }), id).catch(() => undefined);
      expect((await told.takeMany(3)).at(-1)).toBe("echo/k threw no");
    });

    test("records the calls, events and answers that interventions dropped", async () => {
      const dropped = new Inbox<string>();
      const emit = (event: MessageLogRecord) => {
        if (event.type === "MessageDropped") dropped.put(`${event.kind} ${brief(event)}`);
      };
      const dropping: InterventionHandler = {
        onSend: (message) => (Ask.is(message) && message.text === "call" ? DropMessage : message),
        onPublish: () => DropMessage,
        onResponse: () => DropMessage,
      };
      const caller = { messageLog: { withPayloads: false, emit }, interventionHandlers: [dropping] };
      await using stage = await openStage({ caller });
      await stage.host("echo");
      const sender = new AgentId("user", "u");
      const id = new AgentId("echo", "k");
      for (const text of ["call", "answer"]) {
        await stage.caller.sendMessage(Ask({ text }), id, { sender }).catch(() => undefined);
      }
      await stage.caller.publishMessage(Note({ text: "event" }), new TopicId("news", "k"), { sender });
      expect(await dropped.takeMany(3)).toEqual([
        "MessageKind.DIRECT dropped user/u -> echo/k",
        "MessageKind.RESPOND dropped echo/k -> user/u",
        "MessageKind.PUBLISH dropped user/u -> news/k",
      ]);
    });

    test("holds payloads only on request", async () => {
      const payloads = async (withPayloads: boolean) => {
        const told: string[] = [];
        const emit = (event: MessageLogRecord) => told.push("payload" in event ? event.payload : "");
        await using stage = await openStage({ caller: { messageLog: { withPayloads, emit } } });
        await stage.host("echo", () => Answer({ text: "y" }));
        await stage.caller.sendMessage(Ask({ text: "x" }), new AgentId("echo", "k"));
        return [...new Set(told)].sort();
      };
      expect(await payloads(false)).toEqual([""]);
      expect(await payloads(true)).toEqual(['{"text":"x"}', '{"text":"y"}']);
    });
  });
}
