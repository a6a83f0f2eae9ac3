import { describe, expect, test } from "vitest";
import { AgentId, type MessageMetadata, type SendOptions, TopicId } from "../../../src/core/index.ts";
import { Inbox } from "../../support/inbox.ts";
import { Answer, Ask, Note, Order, type Suite, seeInto } from "./world.ts";

const echoId = new AgentId("echo", "k");
const news = new TopicId("news", "k");
const metadata = { tenant: "acme", "user.id-1_x": "Zoë 🎭", empty: "" };

/** Beyond one of the bounds, or no metadata at all. */
const refused: readonly (readonly [name: string, metadata: unknown, text: RegExp])[] = [
  ["a name of AutoGen's and Troupe's", { agtimeoutms: "1" }, /agtimeoutms is reserved/],
  ["a name of gRPC's", { "grpc-timeout": "1S" }, /grpc-timeout is reserved/],
  ["trace context", { traceparent: "00-1-2-01" }, /traceparent is reserved/],
  ["a name of CloudEvents", { datacontenttype: "text/plain" }, /datacontenttype is reserved/],
  ["a capital letter", { Tenant: "acme" }, /"Tenant" is not a name for metadata/],
  ["an empty name", { "": "acme" }, /"" is not a name for metadata/],
  ["a name of 65 characters", { [`x${"y".repeat(64)}`]: "" }, /is not a name for metadata/],
  ["a name that objects have", JSON.parse('{"__proto__":"x"}'), /"__proto__" is not a name for metadata/],
  ["a number", { count: 1 }, /count must be a text, not number/],
  ["half a character", { text: "\ud800" }, /text has half of a surrogate pair/],
  ["65 entries", Object.fromEntries(Array.from({ length: 65 }, (_, at) => [`n${at}`, ""])), /too large at n64/],
  ["more than 16 KiB", { text: "é".repeat(8 * 1024) }, /too large at text/],
  ["a text", "tenant=acme", /must be an object of texts/],
  ["a list", ["acme"], /must be an object of texts/],
];

export function describeMetadata({ openStage }: Suite): void {
  describe("metadata", () => {
    test("of a call is what its handler finds", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      await stage.caller.sendMessage(Order({ text: "x" }), echoId, { metadata });
      expect({ ...(await stage.seen.take()).context.metadata }).toEqual(metadata);
    });

    test("of an event is what each of its handlers finds", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      await stage.listen("news", "archive");
      await stage.caller.publishMessage(Note({ text: "x" }), news, { metadata });
      const seen = await stage.seen.takeMany(2);
      expect(seen.map(({ context }) => ({ ...context.metadata }))).toEqual([metadata, metadata]);
    });

    test("is empty and the same object where none was given", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      await stage.listen("news", "reader");
      await stage.caller.sendMessage(Order({ text: "call" }), echoId, { timeoutMs: 60_000 });
      await stage.caller.publishMessage(Note({ text: "event" }), news);
      const [first, second] = (await stage.seen.takeMany(2)).map(({ context }) => context.metadata);
      expect(Object.keys(first ?? { none: 1 })).toEqual([]);
      expect(second).toBe(first);
    });

    test("is frozen, and what the sender changes afterwards does not reach the handler", async () => {
      await using stage = await openStage();
      const changing: Record<string, string> = { tenant: "acme" };
      await stage.host("echo", (message, context, probe) => {
        changing.tenant = "other";
        seeInto(stage.seen)(message, context, probe);
      });
      await stage.caller.sendMessage(Order({ text: "x" }), echoId, { metadata: changing });
      const { context } = await stage.seen.take();
      expect(context.metadata.tenant).toBe("acme");
      expect(Object.isFrozen(context.metadata)).toBe(true);
      expect(context.metadata.constructor).toBeUndefined();
    });

    test("can be passed on as a whole, also by an agent that publishes", async () => {
      await using stage = await openStage();
      await stage.listen("news", "reader");
      await stage.host("echo", async ({ text }, context, probe) => {
        await probe.publishMessage(Note({ text }), news, { metadata: context.metadata });
      });
      await stage.caller.sendMessage(Order({ text: "x" }), echoId, { metadata });
      expect({ ...(await stage.seen.take()).context.metadata }).toEqual(metadata);
    });

    test("does not come back with the answer, nor into the handler's own calls by itself", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      await stage.host("relay", (_message, context, probe) =>
        probe.sendMessage(Order({ text: "inner" }), echoId, { signal: context.signal }),
      );
      await stage.caller.sendMessage(Order({ text: "x" }), new AgentId("relay", "k"), { metadata });
      expect(Object.keys((await stage.seen.take()).context.metadata)).toEqual([]);
    });

    test("as much as there may be of it arrives", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      const names = Array.from({ length: 64 }, (_, at) => `name-${String(at).padStart(2, "0")}`);
      const much = Object.fromEntries(names.map((name) => [name, "x".repeat(256 - name.length)]));
      await stage.caller.sendMessage(Order({ text: "x" }), echoId, { metadata: much });
      expect({ ...(await stage.seen.take()).context.metadata }).toEqual(much);
    });

    test.each(refused)("is refused with %s, in calls and in events", async (_name, given, text) => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      // Plain JavaScript may pass anything.
      const options: SendOptions = { metadata: given as MessageMetadata };
      const expected = { code: "invalid-argument", message: expect.stringMatching(text) };
      await expect(stage.caller.sendMessage(Order({ text: "x" }), echoId, options)).rejects.toMatchObject(expected);
      await expect(stage.caller.publishMessage(Note({ text: "x" }), news, options)).rejects.toMatchObject(expected);
    });

    test("of messages is what interventions find", async () => {
      const found = new Inbox<MessageMetadata>();
      const interventionHandlers = [
        {
          onSend: (message: unknown, details: { messageContext: { metadata: MessageMetadata } }) => {
            found.put(details.messageContext.metadata);
            return message;
          },
          onPublish: (message: unknown, details: { messageContext: { metadata: MessageMetadata } }) => {
            found.put(details.messageContext.metadata);
            return message;
          },
        },
      ];
      await using stage = await openStage({ caller: { interventionHandlers } });
      await stage.host("echo", ({ text }) => Answer({ text }));
      await stage.caller.sendMessage(Ask({ text: "x" }), echoId, { metadata });
      await stage.caller.publishMessage(Note({ text: "x" }), news, { metadata });
      expect((await found.takeMany(2)).map((one) => ({ ...one }))).toEqual([metadata, metadata]);
    });
  });

  describe("the scope of a handler", () => {
    test("names the agent, its runtime and the time that is left", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      await stage.listen("news", "reader");
      await stage.caller.sendMessage(Order({ text: "call" }), echoId, { timeoutMs: 60_000 });
      const { context: call } = await stage.seen.take();
      expect(call.scope.agentId.toString()).toBe("echo/k");
      expect(call.scope.runtime).toBe(stage.callee);
      expect(call.scope.deadline).toBe(call.deadline);
      expect(call.deadline?.remainingMs()).toBeLessThanOrEqual(60_000);
      await stage.caller.publishMessage(Note({ text: "event" }), news);
      const { context: event } = await stage.seen.take();
      expect(event.scope.agentId.toString()).toBe("reader/k");
      expect(event.scope.runtime).toBe(stage.callee);
      expect([event.deadline, event.scope.deadline]).toEqual([undefined, undefined]);
    });

    test("gives the time that is left to a call that is made without the signal", async () => {
      await using stage = await openStage();
      await stage.host("echo", seeInto(stage.seen));
      await stage.host("relay", (_message, { scope }, probe) =>
        probe.sendMessage(Order({ text: "inner" }), echoId, { scope }),
      );
      await stage.caller.sendMessage(Order({ text: "x" }), new AgentId("relay", "k"), { timeoutMs: 60_000 });
      const { context } = await stage.seen.take();
      expect(context.deadline?.remainingMs()).toBeGreaterThan(0);
      expect(context.deadline?.remainingMs()).toBeLessThanOrEqual(60_000);
    });
  });
}
