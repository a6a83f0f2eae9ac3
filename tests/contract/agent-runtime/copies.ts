import { describe, expect, test } from "vitest";
import { z } from "zod";
import { ambientContexts } from "../../../src/context/index.ts";
import * as one from "../../../src/core/index.ts";
import { AgentId, TopicId } from "../../../src/core/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { loadSecondCopy } from "../../support/second-copy.ts";
import { Answer, Ask, echo, Note, Probe, type Suite } from "./world.ts";

/** What a runtime is given by a second copy of the package in the same process: it means the same. */
export function describeCopies(suite: Suite): void {
  describe("objects of another copy of the package", () => {
    test("are no instances of this copy's classes by prototype, and yet instances", async () => {
      const { core: other, transport } = await loadSecondCopy();
      const { RpcError: Own } = await import("../../../src/transport/index.ts");
      const made: readonly (readonly [string, unknown])[] = [
        ["AgentId", new other.AgentId("a", "k")],
        ["AgentType", new other.AgentType("a")],
        ["TopicId", new other.TopicId("t", "s")],
        ["DefaultTopicId", new other.DefaultTopicId()],
        ["TypeSubscription", new other.TypeSubscription("t", "a")],
        ["TypePrefixSubscription", new other.TypePrefixSubscription("t", "a")],
        ["DefaultSubscription", new other.DefaultSubscription("t", "a")],
        ["DropMessage", new other.DropMessage()],
        ["CancellationToken", new other.CancellationToken()],
        ["UnknownPayload", new other.UnknownPayload("X", "application/json", new Uint8Array())],
        ["TroupeError", new other.TroupeError("not-found", "gone")],
        ["TroupeError", new other.TimedOutError("late")],
        ["CantHandleException", new other.CantHandleException("no")],
        ["UndeliverableException", new other.UndeliverableException("no")],
        ["MessageDroppedException", new other.MessageDroppedException()],
        ["NotAccessibleError", new other.NotAccessibleError("no")],
        ["TimedOutError", new other.TimedOutError("late")],
        ["CancelledError", new other.CancelledError()],
        ["HandlerError", new other.HandlerError("no")],
        ["ToolException", new other.ToolNotFoundException({ callId: "1", content: "no", toolName: "t" })],
        ["ToolNotFoundException", new other.ToolNotFoundException({ callId: "1", content: "no", toolName: "t" })],
        ["FunctionCall", other.FunctionCall({ id: "1", name: "t", arguments: "{}" })],
        ["UserMessage", other.UserMessage({ content: "hi", source: "u" })],
      ];
      for (const [name, value] of made) {
        const theClass: unknown = Reflect.get(one, name);
        if (typeof theClass !== "function") throw new Error(`${name} is no class`);
        expect(Reflect.get(other, name), name).not.toBe(theClass);
        expect(value instanceof theClass, name).toBe(true);
      }
      expect(new transport.RpcError(5, "gone") instanceof Own).toBe(true);
      expect(new other.TimedOutError("late") instanceof one.CancelledError).toBe(false);
      expect(new other.TopicId("t", "s") instanceof one.DefaultTopicId).toBe(false);
      class Mine extends one.AgentId {}
      class MyError extends one.TroupeError {}
      expect(new other.AgentId("a", "k") instanceof Mine).toBe(false);
      expect(new other.TroupeError("not-found", "gone") instanceof MyError).toBe(false);
      expect(new Mine("a", "k") instanceof Mine).toBe(true);
      expect(new Mine("a", "k") instanceof one.AgentId).toBe(true);
    });

    test("an agent id names the same agent", async () => {
      const { core: other } = await loadSecondCopy();
      await using stage = await suite.openStage();
      await stage.host("a");
      const id = new other.AgentId("a", "k");
      expect(await stage.callee.get(id)).toMatchObject({ type: "a", key: "k" });
      expect(await stage.callee.get(new other.AgentType("a"), "k2")).toMatchObject({ type: "a", key: "k2" });
      // As a copy gives it that is older than the brands.
      const old = { type: "a", key: "k3", toString: () => "a/k3", equals: () => false };
      expect(await stage.callee.get(old)).toMatchObject({ type: "a", key: "k3" });
      expect((await stage.caller.sendMessage(Ask({ text: "hi" }), id)).text).toBe("hi from a/k");
      expect(await stage.callee.registerAgentInstance(new Probe(echo), new other.AgentId("i", "k"))).toBeDefined();
      expect((await stage.caller.sendMessage(Ask({ text: "hi" }), new AgentId("i", "k"))).text).toBe("hi from i/k");
    });

    test("a DefaultTopicId takes the publisher's key as its source", async () => {
      const { core: other } = await loadSecondCopy();
      await using stage = await suite.openStage();
      await stage.listen("default", "listener");
      await stage.caller.publishMessage(Note({ text: "hi" }), new other.DefaultTopicId(), {
        sender: new other.AgentId("writer", "ada"),
      });
      expect((await stage.seen.take()).by).toBe("listener/ada");
    });

    test("DropMessage drops a call, an event and an answer, as a class and as an instance", async () => {
      const { core: other } = await loadSecondCopy();
      let drop: unknown;
      const dropping = { onSend: () => drop, onPublish: () => drop, onResponse: () => drop };
      await using stage = await suite.openStage({ caller: { interventionHandlers: [dropping] } });
      await stage.host("a");
      await stage.listen("t", "listener");
      for (drop of [other.DropMessage, new other.DropMessage()]) {
        await expect(stage.caller.sendMessage(Ask({ text: "" }), new AgentId("a", "k"))).rejects.toMatchObject({
          code: "dropped",
        });
        await stage.caller.publishMessage(Note({ text: "dropped" }), new TopicId("t", "s"));
      }
      const seesOnly = { onResponse: () => drop };
      await using answered = await suite.openStage({ caller: { interventionHandlers: [seesOnly] } });
      await answered.host("a");
      await expect(answered.caller.sendMessage(Ask({ text: "" }), new AgentId("a", "k"))).rejects.toMatchObject({
        code: "dropped",
      });
      drop = undefined;
      await stage.caller.publishMessage(Note({ text: "through" }), new TopicId("t", "s"));
      expect((await stage.seen.take()).text).toBe("through");
    });

    test("subscriptions are taken, found equal, and removed", async () => {
      const { core: other } = await loadSecondCopy();
      await using stage = await suite.openStage();
      await stage.callee.registerFactory("listener", () => new Probe(({ text }) => stage.texts.put(text)), {
        subscriptions: [new other.TypeSubscription("t", "listener")],
      });
      await stage.callee.addSubscription(new other.TypePrefixSubscription("prefix:", "listener"));
      for (const again of [
        new one.TypeSubscription("t", "listener"),
        new one.TypePrefixSubscription("prefix:", "listener"),
        new other.DefaultSubscription("t", "listener"),
      ]) {
        await expect(stage.callee.addSubscription(again)).rejects.toMatchObject({ code: "already-exists" });
      }
      await stage.caller.publishMessage(Note({ text: "1" }), new other.TopicId("t", "s"));
      await stage.caller.publishMessage(Note({ text: "2" }), new TopicId("prefix:x", "s"));
      expect(await stage.texts.takeMany(2)).toEqual(["1", "2"]);
    });

    test("an agent class with its decorators, subscriptions, messages and errors works", async () => {
      const { core: other } = await loadSecondCopy();
      const OtherAnswer = other.defineMessage("ContractAnswer", z.object({ text: z.string() }));
      const OtherAsk = other.defineMessage("ContractAsk", z.object({ text: z.string() }), { answer: OtherAnswer });
      const OtherNote = other.defineMessage("ContractNote", z.object({ text: z.string() }));
      const texts = new Inbox<string>();
      class Greeter extends other.RoutedAgent {
        static override readonly subscriptions = [() => new one.DefaultSubscription()];
        static override readonly handlers = one
          .handlerTable<Greeter>()
          .including(other.handlerTable<Greeter>().event(OtherNote, ({ text }) => texts.put(text)))
          .rpc(Ask, ({ text }) => {
            if (text === "fail") throw new other.CantHandleException("not that");
            return OtherAnswer({ text: `hello ${text}` });
          });
      }
      await using stage = await suite.openStage();
      await Greeter.register(stage.callee, "greeter", () => new Greeter("greets"));
      const id = new AgentId("greeter", "k");
      expect(await stage.caller.sendMessage(OtherAsk({ text: "ada" }), id)).toEqual(Answer({ text: "hello ada" }));
      const failed = await stage.caller.sendMessage(Ask({ text: "fail" }), id).catch((error: unknown) => error);
      expect(failed).toBeInstanceOf(one.CantHandleException);
      expect(one.TroupeError.from(failed)).toBe(failed);
      await stage.caller.publishMessage(OtherNote({ text: "news" }), new other.DefaultTopicId());
      expect(await texts.take()).toBe("news");
    });

    test("an unknown message is handled as one, and sent on as it was", async () => {
      const { core: other } = await loadSecondCopy();
      await using stage = await suite.openStage();
      class Taker extends one.RoutedAgent {
        static override readonly handlers = one
          .handlerTable<Taker>()
          .message(other.unknownPayloadMessage, (message) => stage.texts.put(message.typeName));
      }
      await Taker.register(stage.callee, "taker", () => new Taker("takes"));
      const payload = new other.UnknownPayload("Strange", "application/json", new TextEncoder().encode("{}"));
      await stage.caller.sendMessage(payload, new AgentId("taker", "k"));
      expect(await stage.texts.take()).toBe("Strange");
    });

    test("a handler's time limit holds for a call on a runtime of the other copy", async () => {
      const { core: other } = await loadSecondCopy();
      await using inner = new other.SingleThreadedAgentRuntime();
      await inner.start();
      let deadline: number | undefined;
      await inner.registerFactory(
        "inner",
        () =>
          new (class extends other.BaseAgent {
            protected override onMessageImpl(_message: unknown, context: one.MessageContext): unknown {
              deadline = context.deadline?.remainingMs();
              return Answer({ text: "" });
            }
          })("inner"),
      );
      await using stage = await suite.openStage();
      await stage.host("outer", (message, { signal }) =>
        inner.sendMessage(Ask({ text: message.text }), new other.AgentId("inner", "k"), { signal }),
      );
      await stage.caller.sendMessage(Ask({ text: "" }), new AgentId("outer", "k"), { timeoutMs: 60_000 });
      expect(deadline).toBeLessThanOrEqual(60_000);
    });

    test("ambient contexts are the same for both", async () => {
      const { core: other, context } = await loadSecondCopy();
      await using stage = await suite.openStage({ callee: { ambient: ambientContexts } });
      await stage.host("a", () => Answer({ text: String(context.MessageHandlerContext.agentId()) }));
      const id = new other.AgentId("a", "k");
      expect((await stage.caller.sendMessage(Ask({ text: "" }), id)).text).toBe("a/k");
    });
  });
}
