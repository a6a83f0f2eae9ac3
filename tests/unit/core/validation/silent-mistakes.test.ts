import {
  AgentId,
  ClosureAgent,
  DefaultInterventionHandler,
  defineMessage,
  defineTool,
  handlerTable,
  RoutedAgent,
  SingleThreadedAgentRuntime,
  ToolAgent,
  TypePrefixSubscription,
  TypeSubscription,
} from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { encodeAddSubscriptionRequest, encodeFrame, encodeRegisterAgentRequest } from "troupe/protocol";
import { ManualClock, startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { RecordingLogger } from "../../../support/recording-logger.ts";

/** What plain JavaScript lets through; the compiler takes `never` for anything. */
function given(value: unknown): never {
  return value as never;
}

const Ans = defineMessage("Ans", z.object({ content: z.string() }));
const Ask = defineMessage("Ask", z.object({ name: z.string() }), { answer: Ans });
const id = new AgentId("a", "1");

function runtimeWith(handler: unknown) {
  return new SingleThreadedAgentRuntime({ interventionHandlers: [given(handler)] });
}

describe("an intervention handler", () => {
  test.each([
    ["a misspelt onSend", { onsend: () => undefined }, "onSend"],
    ["Python's name", { on_publish: () => undefined }, "onPublish"],
    [
      "a misspelt method of a class",
      new (class {
        onRespons() {}
      })(),
      "onResponse",
    ],
  ])("with %s is refused, and told which was meant", (_what, handler, meant) => {
    expect(() => runtimeWith(handler)).toThrow(
      expect.objectContaining({
        code: "invalid-argument",
        message: expect.stringMatching(
          new RegExp(`interventionHandlers\\[0\\] has a method .* Did you mean ${meant}\\?`),
        ),
      }),
    );
  });

  test("may have other methods and fields of its own", () => {
    class Audited extends DefaultInterventionHandler {
      onSent() {}
      send() {}
      readonly onces = 5;
    }
    runtimeWith(new Audited());
    runtimeWith({ onPublish: (message: unknown) => message, send: () => undefined, onStart: () => undefined });
  });
});

describe("a wrong item of a list is named with its place and value", () => {
  test.each([
    [
      "interventionHandlers",
      () => new SingleThreadedAgentRuntime({ interventionHandlers: [{}, given(5)] }),
      "The option interventionHandlers[1] must be an intervention handler, an object with onSend, onPublish or onResponse, not 5.",
    ],
    [
      "interceptors",
      () => new SingleThreadedAgentRuntime({ interceptors: [given({})] }),
      "The option interceptors[0] must be a function, not a value of Object.",
    ],
    [
      "a list that is none",
      () => new SingleThreadedAgentRuntime({ interceptors: given({}) }),
      "The option interceptors must be a list; each of its items is a function, not a value of Object.",
    ],
    [
      "an item that is in no list",
      () => new SingleThreadedAgentRuntime({ interceptors: given(() => undefined) }),
      "The option interceptors must be a list. Put the value into one: [value].",
    ],
  ])("%s", (_what, make, text) => {
    expect(make).toThrow(text);
  });

  test("a subscription where a function that makes some belongs", async () => {
    const runtime = new SingleThreadedAgentRuntime();
    const subscriptions = given([new TypeSubscription("x", "cl")]);
    await expect(
      ClosureAgent.registerClosure(runtime, "cl", () => undefined, { types: Ans, subscriptions }),
    ).rejects.toThrow(
      /subscriptions\[0\] must be a function that makes subscriptions, \(\) => \[.*, not a value of TypeSubscription\.$/,
    );
  });
});

test.each([
  [
    { labels: given({ gpu: true }) },
    "The option labels has the label gpu, whose value must be a text of at most 64 characters, not true.",
  ],
  [
    { labels: { gpu: "x".repeat(65) } },
    `The option labels has the label gpu, whose value must be a text of at most 64 characters, not the text "${"x".repeat(65)}".`,
  ],
  [
    { labels: { "a b": "x" } },
    'The option labels has the label name "a b"; a name is at most 64 letters, digits, ".", "_" and "-".',
  ],
])("wrong labels %o of a worker are named with their value", (options, text) => {
  const make = () => new GrpcWorkerAgentRuntime("127.0.0.1:1", options);
  expect(make).toThrow(expect.objectContaining({ code: "invalid-argument", message: text }));
});

test("a store that was not awaited is refused, and the error says to await it", () => {
  const stateStore = given(Promise.resolve());
  expect(() => new SingleThreadedAgentRuntime({ stateStore })).toThrow(/not a Promise: await it first\.$/);
});

test("options of a worker or a host that are no object, or that their channel lacks, are named as the user wrote them", () => {
  expect(() => new GrpcWorkerAgentRuntime("127.0.0.1:1", given(5))).toThrow(
    "The options of a worker must be an object",
  );
  const channelOptions = given({ tlss: {} });
  const text = 'The option channelOptions has no option "tlss". Did you mean tls?';
  expect(() => new GrpcWorkerAgentRuntime("127.0.0.1:1", { channelOptions })).toThrow(text);
  expect(() => new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { channelOptions })).toThrow(text);
});

test.each([
  ["topic type", () => new TypeSubscription("a b", "c"), 'the topicType "a b" of a subscription'],
  ["empty topic type", () => new TypeSubscription("", "c"), 'the topicType "" of a subscription'],
  ["prefix", () => new TypePrefixSubscription("a/", "c"), 'the topicTypePrefix "a/" of a subscription'],
])("a subscription to a %s that no topic can have is refused", (_what, make, text) => {
  expect(make).toThrow(expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining(text) }));
});

test("an instance whose key no topic type equals is registered nevertheless", async () => {
  class Echo extends RoutedAgent {
    static override readonly handlers = handlerTable<Echo>().rpc(Ask, ({ name }) => Ans({ content: name }));
  }
  await using runtime = new SingleThreadedAgentRuntime();
  await runtime.start();
  const key = new AgentId("echo", "a key with spaces");
  await new Echo("echoes").registerInstance(runtime, key);
  expect(await runtime.sendMessage(Ask({ name: "x" }), key)).toEqual({ content: "x" });
});

test("a ToolAgent refuses two tools with one name", () => {
  const tool = defineTool({ name: "x", description: "d", schema: z.object({}), run: () => "1" });
  expect(() => new ToolAgent("d", [tool, tool])).toThrow('A ToolAgent has two tools named "x".');
});

test.each([[-1], [Number.NaN], [given("5")], [undefined]])("a ManualClock can't advance by %s", (ms) => {
  const clock = new ManualClock();
  expect(() => clock.advance(given(ms))).toThrow(expect.objectContaining({ code: "invalid-argument" }));
  expect(clock.now()).toBe(0);
});

describe("a fault proxy refuses", () => {
  test.each([
    ["an unknown kind", { kind: "reseet" }, /^The kind of the fault must be .*, not the text "reseet"\.$/],
    ["no object", "reset", /^The fault must be an object with a kind/],
    ["a misspelt field", { kind: "delay", delayMS: 5 }, /Did you mean delayMs\?$/],
    ["a missing field", { kind: "delay" }, /needs a field delayMs\.$/],
    ["a wrong direction", { kind: "half-close", in: "up" }, /"to-target" or "to-client"/],
  ])("to apply a fault with %s", async (_what, fault, text) => {
    await using proxy = await startFaultProxy({ target: "127.0.0.1:1" });
    expect(() => proxy.apply(given(fault))).toThrow(text);
  });

  test.each([
    ["without a fault", {}, /^The fault of script\[0\] must be an object with a kind/],
    ["with an unknown fault", { fault: { kind: "x" } }, /^The kind of the fault of script\[0\] must be/],
    ["with a misspelt field", { fault: { kind: "reset" }, afterMS: 5 }, /script\[0\] has no option "afterMS"/],
  ])("a step of its script %s", async (_what, step, text) => {
    await expect(startFaultProxy({ target: "127.0.0.1:1", script: given([step]) })).rejects.toThrow(text);
  });

  test("a wait for an unknown kind, a connection that is no number, and a target that is no address", async () => {
    await using proxy = await startFaultProxy({ target: "127.0.0.1:1" });
    expect(() => proxy.faulted(given("reseet"))).toThrow('not the text "reseet"');
    expect(() => proxy.apply({ kind: "reset" }, { connection: given("0") })).toThrow(
      "connection must be a whole number",
    );
    expect(() => proxy.retarget("nowhere")).toThrow('"nowhere" is not an address');
    await expect(startFaultProxy({ target: "nowhere" })).rejects.toThrow('"nowhere" is not an address');
  });
});

describe("an encoder of troupe/protocol says what is wrong with", () => {
  const frame = { kind: "request", requestId: "1", source: undefined, target: undefined, metadata: {} };
  const payload = { typeName: "Ask", contentType: "application/json", data: new Uint8Array() };
  test.each([
    [
      "a payload without a type",
      { ...frame, payload: { ...payload, typeName: undefined } },
      "The typeName in the payload of a request",
    ],
    ["text for bytes", { ...frame, payload: { ...payload, data: "x" } }, "must be bytes, a Uint8Array, not the text"],
    [
      "a number for the request id",
      { ...frame, requestId: 5 },
      "The requestId of a request frame must be a text, not 5.",
    ],
    [
      "a target without a key",
      { ...frame, target: { type: "a" } },
      "The target of a request frame: its key must be a text",
    ],
    [
      "metadata that is missing",
      { ...frame, metadata: undefined },
      "The metadata of a request frame must be an object",
    ],
    [
      "metadata that is no text",
      { ...frame, metadata: { a: 5 } },
      'The metadata of a request frame: "a" must be a text, not 5.',
    ],
    ["an unknown kind", { kind: "reqest" }, "The kind of a frame must be request, response"],
    ["no frame", undefined, "A frame, { kind, … }, must be an object"],
    [
      "an event without a payload",
      { kind: "event", event: { id: "1", topicType: "t", topicSource: "s", attributes: {} } },
      "The payload of an event",
    ],
  ])("%s", (_what, wrong, text) => {
    expect(() => encodeFrame(given(wrong))).toThrow(
      expect.objectContaining({ code: "invalid-argument", message: expect.stringContaining(text) }),
    );
  });

  test("a registration", () => {
    expect(() => encodeRegisterAgentRequest(given(5))).toThrow("The agent type to register must be a text, not 5.");
    expect(() => encodeAddSubscriptionRequest(given({ id: "1", pattern: { kind: "x" } }))).toThrow(
      'The kind of a pattern must be "type" or "prefix", not the text "x".',
    );
  });
});

describe("a handler or a caller that mistakes what a message is, is told what to write", () => {
  const open = async (answer: unknown) => {
    const runtime = new SingleThreadedAgentRuntime({ logger: new RecordingLogger() });
    class A extends RoutedAgent {
      static override readonly handlers = handlerTable<A>().rpc(Ask, () => given(answer));
    }
    await A.register(runtime, "a", () => new A("d"));
    await runtime.start();
    return runtime;
  };

  test.each([
    [
      "a plain object",
      { content: "x" },
      "returned a plain object, but its answer must be Ans. Return a value of that type: Ans({ … }).",
    ],
    [
      "a number",
      5,
      "returned a value of no declared message type (number), but its answer must be Ans. Return a value of that type: Ans({ … }).",
    ],
  ])("a handler that returns %s", async (_what, answer, text) => {
    await using runtime = await open(answer);
    await expect(runtime.sendMessage(Ask({ name: "x" }), id)).rejects.toThrow(`The handler of a/1 for Ask ${text}`);
  });

  test("a caller that sends the type itself, or a promise", async () => {
    await using runtime = await open(Ans({ content: "x" }));
    await expect(runtime.sendMessage(given(Ask), id)).rejects.toThrow(
      "Ask is a message type, not a message. Call it with the fields of a message, Ask({ … })",
    );
    await expect(runtime.sendMessage(given(Promise.resolve(1)), id)).rejects.toThrow("Await it");
  });
});

describe("an error in process says who and what to do", () => {
  test.each<[string, (runtime: SingleThreadedAgentRuntime) => Promise<unknown>, string]>([
    [
      "stop() before start()",
      (runtime) => runtime.stop(),
      "Runtime is not started. This SingleThreadedAgentRuntime does not run: call start() first.",
    ],
    [
      "an unknown agent",
      (runtime) => runtime.agentSaveState(new AgentId("nobody", "1")),
      "Agent with name nobody not found. To reach nobody/1, register its agent type",
    ],
    [
      "removing an unknown subscription",
      (runtime) => runtime.removeSubscription("nope"),
      'Subscription does not exist: id "nope".',
    ],
    [
      "a subscription that is there",
      async (runtime) => {
        await runtime.addSubscription(new TypeSubscription("tt", "a", "7"));
        await runtime.addSubscription(new TypeSubscription("tt", "a", "8"));
      },
      'Subscription already exists: agent type a, topic type "tt", id "8".',
    ],
  ])("%s", async (_what, go, text) => {
    await expect(go(new SingleThreadedAgentRuntime())).rejects.toThrow(text);
  });

  test("an agent that a factory returns twice", async () => {
    class A extends RoutedAgent {
      static override readonly handlers = handlerTable<A>().rpc(Ask, () => Ans({ content: "x" }));
    }
    await using runtime = new SingleThreadedAgentRuntime({ logger: new RecordingLogger() });
    const one = new A("d");
    await A.register(runtime, "a", () => one);
    await runtime.start();
    await runtime.sendMessage(Ask({ name: "x" }), id);
    await expect(runtime.sendMessage(Ask({ name: "x" }), new AgentId("a", "2"))).rejects.toThrow(
      "Agent is already bound to a different ID: it is a/1 and can't be a/2 too. An agent has one id in one runtime",
    );
  });
});
