import { fromJson } from "@bufbuild/protobuf";
import { StructSchema } from "@bufbuild/protobuf/wkt";
import { AgentId, TypePrefixSubscription, UndeliverableException, UnknownPayload } from "troupe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Opened } from "../support/opened.ts";
import { FunctionAgent, type OnMessage } from "../support/worker/function-agent.ts";
import { generations } from "./support/generations.ts";
import { Laboratory } from "./support/laboratory.ts";
import { Hop, MyMessage, Numbers, PydanticMessage, protobufTypes, stringValue } from "./support/messages.ts";
import type { PythonPeer } from "./support/python-peer.ts";
import { callFrom, publishFrom } from "./support/python-peers.ts";
import { recordedOfPythonHost } from "./support/recorded-host.ts";
import type { TypeScriptWorker } from "./support/typescript-worker.ts";

const hi = MyMessage({ content: "hi" });
const hiShown = { type: "MyMessage", message: { content: "hi" } };

/** Every kind of JSON message, as TypeScript makes it and as Python shows it. */
const jsonMessages = [
  { what: "a dataclass with every kind of letter", agent: "echo", message: MyMessage({ content: 'é " \\ \n ☎ 😀' }) },
  {
    what: "a dataclass of numbers and lists",
    agent: "echo",
    message: Numbers({ whole: -(2 ** 40), real: 0.1, truth: true, words: ["a", ""] }),
  },
  { what: "a model with defaults and nothing else", agent: "pydantic", message: PydanticMessage({ content: "" }) },
  {
    what: "a model of models",
    agent: "pydantic",
    message: PydanticMessage({ content: "c", count: 3, note: "n", parts: [{ name: "p", amount: 1.5 }, { name: "q" }] }),
  },
];

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`TypeScript and ${generation.title} on our host`, () => {
    const opened = new Opened();
    let lab: Laboratory;
    let python: PythonPeer;
    let typescript: TypeScriptWorker;

    beforeAll(async () => {
      lab = opened.use(await Laboratory.start(generation));
      python = await lab.python([
        { kind: "echo", type: "echo" },
        { kind: "pydantic-echo", type: "pydantic" },
        { kind: "failing", type: "failing", text: "boom" },
        { kind: "failing", type: "silent" },
        { kind: "collector", type: "collector", subscriptions: [{ topicType: "news" }] },
        { kind: "protobuf-callee", type: "protobuf" },
        { kind: "nested", type: "py-hop", target: "ts-hop/k" },
        { kind: "nested", type: "py-chain", target: "ts-chain/k" },
        { kind: "caller", type: "caller", target: "ts-echo/called" },
      ]);
      typescript = await lab.typescript({ types: protobufTypes(generation) });
      await typescript.echo("ts-echo");
      await typescript.collect("ts-collector", "news");
      for (const [type, handle] of Object.entries(functions)) {
        await typescript.runtime.registerFactory(type, () => new FunctionAgent(handle));
      }
      await typescript.runtime.registerFactory("ts-chain", () => new FunctionAgent(hopTo("py-chain")), {
        concurrency: "sequential",
      });
      typescript.runtime.addMessageSerializer(Hop);
    });
    afterAll(() => opened[Symbol.asyncDispose]());

    describe("calls", () => {
      test.each(jsonMessages)("carry $what to Python and back [§8.82] [§8.94]", async ({ agent, message }) => {
        const answer = await typescript.call(`${agent}/k`, message);
        expect(answer).toEqual(message);
        expect(Object.getPrototypeOf(answer)).toBe(Object.getPrototypeOf(message));
      });

      test.each(jsonMessages)("carry $what from Python and back [§8.81] [§8.137]", async ({ message }) => {
        const shown = { type: message.constructor.name, message: { ...message } };
        expect(await callFrom(python, "ts-echo/k", shown)).toMatchObject({ event: "answer", ...shown });
      });

      test("to an agent that streams get its answer alone there", async () => {
        expect(await callFrom(python, "ts-poet/k", hiShown)).toMatchObject({ event: "answer", ...hiShown });
      });

      test("that read chunks here get the answer of a Python agent without any", async () => {
        const stream = typescript.runtime.stream(hi, new AgentId("echo", "k"));
        for await (const _chunk of stream) expect.unreachable();
        expect(await stream.answer).toEqual(hi);
      });

      test("that fail here raise an Exception with the same text there [§8.83]", async () => {
        expect(await callFrom(python, "ts-boom/k", hiShown)).toMatchObject({
          event: "error",
          class: "Exception",
          text: "boom",
        });
      });

      test("that fail here without a text raise one with the error's name there [§8.84]", async () => {
        const outcome = await callFrom(python, "ts-silent/k", hiShown);
        expect(outcome).toMatchObject({ event: "error", class: "Exception", text: "TypeError" });
      });

      test("that fail there reject with the same text here", async () => {
        await expect(typescript.call("failing/k", hi)).rejects.toThrow("boom");
      });

      test("of one Python worker that fail in another raise the same there as on AutoGen's own host", async () => {
        await using caller = await lab.python();
        const outcome = await callFrom(caller, "failing/k", hiShown);
        expect(outcome).toMatchObject({ event: "error", class: "Exception", text: "boom" });
        expect(recordedOfPythonHost(generation, "handler-raises-with-text").observed).toEqual({
          caller: { raises: "Exception", text: "boom" },
        });
      });

      test("that fail there without a text look like an answer without value: no one can tell (W7)", async () => {
        expect(await typescript.call("silent/k", hi)).toBeUndefined();
        const unknown = { typeName: "", dataContentType: "", bytes: 0, hex: "" };
        expect(await callFrom(python, "silent/k", hiShown)).toMatchObject({ type: "UnknownPayload", message: unknown });
        expect(recordedOfPythonHost(generation, "handler-raises-without-text").observed).toEqual({
          caller: { type: "UnknownPayload", answer: unknown },
        });
      });

      test("whose worker is killed with -9 meanwhile reject as undeliverable [§8.97]", async () => {
        const target = await lab.python([{ kind: "held", type: "held" }]);
        const call = expect(typescript.call("held/k", hi)).rejects.toBeInstanceOf(UndeliverableException);
        await target.next("received");
        await Promise.all([target.kill(), call]);
        await expect(typescript.call("nobody/k", hi)).rejects.toBeInstanceOf(UndeliverableException);
      });

      test("that return nothing here are answered with None's name there [§8.85]", async () => {
        expect(await callFrom(python, "ts-void/k", hiShown)).toMatchObject({
          type: "UnknownPayload",
          message: { typeName: "NoneType", dataContentType: "application/json", bytes: 4 },
        });
      });

      test("answered with a type that the caller does not know resolve to an UnknownPayload [§8.82]", async () => {
        await using stranger = await lab.typescript({ types: protobufTypes(generation) });
        const answer = await stranger.call("protobuf/k", stringValue("x"));
        expect(answer).toBeInstanceOf(UnknownPayload);
        expect(answer).toMatchObject({ typeName: "MyMessage", dataContentType: "application/json" });
      });

      test("of a result without a declared type are answered with an error [§8.88]", async () => {
        const outcome = await callFrom(python, "ts-undeclared/k", hiShown);
        expect(outcome).toMatchObject({ event: "error", text: expect.stringContaining("Unknown type Date") });
      });

      test("to an agent that can't be made are answered with the factory's error [§8.87]", async () => {
        await typescript.runtime.registerFactory("ts-unmakeable", () => {
          throw new Error("no tools today");
        });
        const outcome = await callFrom(python, "ts-unmakeable/k", hiShown);
        expect(outcome).toMatchObject({ event: "error", text: expect.stringContaining("no tools today") });
      });

      test("of a type that the agent does not know are answered, with nothing [§8.89]", async () => {
        const unknown = { type: "Hop", message: { remaining: 1, path: "" } };
        expect(await callFrom(python, "ts-collector/k", unknown)).toMatchObject({ message: { typeName: "NoneType" } });
      });

      test("come back from Python to a sequential agent whose turn waits for them", async () => {
        const first = Hop({ remaining: 5, path: "start" });
        expect(await typescript.call("ts-chain/k", first, { timeoutMs: 20_000 })).toMatchObject({
          path: "start>ts-chain/k>py-chain/k>ts-chain/k>py-chain/k>ts-chain/k>py-chain/k",
        });
      });

      test("pass through both languages and back, nested, with the request ids of each counting from 1 [§8.43]", async () => {
        const first = { type: "Hop", message: { remaining: 4, path: "start" } };
        const path = "start>py-hop/k>ts-hop/k>py-hop/k>ts-hop/k>py-hop/k";
        expect(await callFrom(python, "py-hop/k", first)).toMatchObject({ message: { path } });
        const there = Hop({ remaining: 3, path: "start" });
        expect(await typescript.call("ts-hop/k", there)).toMatchObject({
          path: "start>ts-hop/k>py-hop/k>ts-hop/k>py-hop/k",
        });
      });

      test("between agents of one worker go through the host [§8.54]", async () => {
        const before = lab.host.counters().calls;
        expect(await callFrom(python, "echo/own", hiShown)).toMatchObject(hiShown);
        expect(await typescript.callShown("ts-echo/own", hi)).toEqual(hiShown);
        expect(lab.host.counters().calls - before).toBe(2);
      });

      test("tell who calls, and that nobody does [§8.52]", async () => {
        await callFrom(python, "caller/one", hiShown);
        expect(await typescript.received("ts-echo/called")).toMatchObject({ sender: "caller/one", isRpc: true });
        await callFrom(python, "ts-echo/nobody", hiShown);
        expect(await typescript.received("ts-echo/nobody")).toMatchObject({ sender: null, topic: null });
        await typescript.call("echo/from-ts", hi, { sender: AgentId.parse("ts-echo/me") });
        expect(await python.next("received", { agent: "echo/from-ts" })).toMatchObject({ sender: "ts-echo/me" });
      });
    });

    describe("events", () => {
      test("arrive from Python with topic and message id, and no sender when there is none [§8.64]", async () => {
        await publishFrom(python, "news/py", hiShown);
        const received = await typescript.received("ts-collector/py");
        expect(received).toMatchObject({ ...hiShown, topic: "news/py", sender: null, isRpc: false });
        expect(received.messageId).toMatch(/^[0-9a-f-]{36}$/);
      });

      test("arrive at Python with what the publisher said [§8.65]", async () => {
        const options = { sender: AgentId.parse("ts-echo/me"), messageId: "m-1" };
        await typescript.publish("news/ts", hi, options);
        const shown = { ...hiShown, topic: "news/ts", sender: "ts-echo/me", messageId: "m-1", isRpc: false };
        expect(await python.next("received", { agent: "collector/ts" })).toMatchObject(shown);
      });

      test("reach every worker with a matching subscription once, the publisher's own too [§8.56] [§8.57]", async () => {
        await using third = await lab.typescript();
        await third.collect("third", "news");
        await typescript.publish("news/all", hi);
        expect(await python.next("received", { agent: "collector/all" })).toMatchObject(hiShown);
        expect(await third.received("third/all")).toMatchObject(hiShown);
        expect(await typescript.received("ts-collector/all")).toMatchObject(hiShown);
      });

      test("of one publisher arrive in its order [§8.61]", async () => {
        for (let count = 0; count < 50; count++)
          await typescript.publish("news/order", MyMessage({ content: `${count}` }));
        for (let count = 0; count < 50; count++) {
          const { message } = await python.next("received", { agent: "collector/order" });
          expect(message).toEqual({ content: `${count}` });
        }
      });

      test("of protobuf structures arrive at Python as such [§8.67]", async () => {
        await using publisher = await lab.typescript({ types: protobufTypes(generation) });
        const fields = { list: [1, "two", null], deep: { yes: true } };
        await publisher.publish("news/struct", fromJson(StructSchema, fields));
        const received = await python.next("received", { agent: "collector/struct" });
        expect(received).toMatchObject({ type: "google.protobuf.Struct", message: fields });
      });

      test("of a type that nobody here declared arrive as an UnknownPayload [§8.70]", async () => {
        await using publisher = await lab.python([], { format: "application/x-protobuf" });
        await publishFrom(publisher, "news/unknown", {
          type: "google.protobuf.Timestamp",
          message: "2026-01-02T03:04:05Z",
        });
        expect(await typescript.received("ts-collector/unknown")).toMatchObject({
          type: "UnknownPayload",
          message: {
            typeName: generation.protobufName("google.protobuf.Timestamp"),
            dataContentType: "application/x-protobuf",
          },
        });
      });

      test("on a type's own topics reach it by prefix, and no others [§8.40]", async () => {
        for (const topic of ["echo", "echo:", "echo:x", "echo:rpc_request=y"])
          await typescript.publish(`${topic}/prefix`, hi);
        for (const topic of ["echo:", "echo:x", "echo:rpc_request=y"]) {
          const received = await python.next("received", { agent: "echo/prefix" });
          expect(received.topic).toBe(`${topic}/prefix`);
        }
      });

      test("on rpc_request topics are calls without answer: event handlers do not get them [§8.77]", async () => {
        const subscription = new TypePrefixSubscription("asks:", "ts-echo");
        await typescript.runtime.addSubscription(subscription);
        const toCollector = new TypePrefixSubscription("asks:", "ts-collector");
        await typescript.runtime.addSubscription(toCollector);
        await publishFrom(python, "asks:rpc_request/asked", hiShown);
        expect(await typescript.received("ts-echo/asked")).toMatchObject({
          isRpc: true,
          topic: "asks:rpc_request/asked",
        });
        await publishFrom(python, "asks:/after", hiShown);
        const after = await typescript.seen.next(
          ({ agent, topic }) => agent.startsWith("ts-collector/") && topic?.startsWith("asks:") === true,
        );
        expect(after).toMatchObject({ agent: "ts-collector/after", isRpc: false });
      });
    });
  });
}

const functions: Readonly<Record<string, OnMessage>> = {
  "ts-boom": () => {
    throw new Error("boom");
  },
  "ts-silent": () => {
    throw new TypeError();
  },
  "ts-void": () => undefined,
  "ts-undeclared": () => new Date(),
  "ts-hop": hopTo("py-hop"),
  "ts-poet": async function* (message) {
    for (let chunk = 0; chunk < 1_000; chunk += 1) yield message;
    return message;
  },
};

function hopTo(type: string): OnMessage {
  return async (message, _context, agent) => {
    if (!Hop.is(message)) throw new TypeError("not a Hop");
    const here = Hop({ remaining: message.remaining - 1, path: `${message.path}>${agent.id}` });
    if (message.remaining <= 0) return Hop({ remaining: 0, path: here.path });
    return agent.runtime.sendMessage(here, new AgentId(type, agent.id.key), { sender: agent.id });
  };
}
