import { create } from "@bufbuild/protobuf";
import { StringValueSchema } from "@bufbuild/protobuf/wkt";
import { AgentId, ClosureAgent, type MessageOf, TopicId, UnknownPayload } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { protobufMessage } from "troupe/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Opened } from "../support/opened.ts";
import { MyMessage } from "../support/worker/messages.ts";
import { generations } from "./support/generations.ts";
import type { PythonPeer } from "./support/python-peer.ts";
import { callFrom, startPythonWorker } from "./support/python-peers.ts";

const text = 'grüße "☎" \\ \n\u2028 𝄞';
const hello = { type: "MyMessage", message: { content: text } };

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`a TypeScript worker and one of ${generation.title}`, () => {
    const opened = new Opened();
    let python: PythonPeer;
    let worker: GrpcWorkerAgentRuntime;
    let address: string;

    beforeAll(async () => {
      const host = opened.use(new GrpcWorkerAgentRuntimeHost("127.0.0.1:0"));
      await host.start();
      address = host.address;
      python = opened.use(
        await startPythonWorker(generation, address, [
          { kind: "echo", type: "py_echo" },
          { kind: "collector", type: "py_ear", subscriptions: [{ topicType: "news" }] },
        ]),
      );
      worker = opened.use(await startWorker());
      worker.addMessageSerializer(MyMessage);
      await ClosureAgent.registerClosure(worker, "ts_agent", answer, { types: MyMessage });
    });
    afterAll(() => opened[Symbol.asyncDispose]());

    async function startWorker() {
      const started = new GrpcWorkerAgentRuntime(address);
      await started.start();
      return started;
    }

    test("what TypeScript publishes runs the handler of a Python dataclass [§8.65]", async () => {
      const messageId = "7b0a4c5e-0000-4000-8000-000000000001";
      await worker.publishMessage(MyMessage({ content: text }), new TopicId("news", "k"), { messageId });
      expect(await python.next("received", { messageId })).toMatchObject({
        ...hello,
        agent: "py_ear/k",
        isRpc: false,
        topic: "news/k",
        sender: "unknown/unknown",
      });
    });

    // Before generation 3 Python names protobuf classes without their package.
    if (generation.number === 3) {
      test("what TypeScript publishes as protobuf runs the handler of a Python protobuf class [§8.67]", async () => {
        worker.addMessageSerializer(protobufMessage(StringValueSchema));
        const messageId = "7b0a4c5e-0000-4000-8000-000000000002";
        const value = create(StringValueSchema, { value: text });
        await worker.publishMessage(value, new TopicId("news", "k"), { messageId });
        const received = await python.next("received", { messageId });
        expect(received).toMatchObject({ type: "google.protobuf.StringValue", message: text });
      });
    }

    test("a Python caller gets what a TypeScript handler returns as its own class [§8.81] [§8.137]", async () => {
      expect(await callFrom(python, "ts_agent/k", hello)).toMatchObject({ event: "answer", ...hello });
    });

    test("a Python caller gets an exception with the text of what a TypeScript handler throws [§8.83]", async () => {
      const failing = { type: "MyMessage", message: { content: "fail" } };
      const outcome = await callFrom(python, "ts_agent/k", failing);
      expect(outcome).toMatchObject({ event: "error", class: "Exception", text: "boom" });
    });

    test("a Python caller gets an exception even if what a TypeScript handler throws has no text [§8.84]", async () => {
      const failing = { type: "MyMessage", message: { content: "fail without text" } };
      const outcome = await callFrom(python, "ts_agent/k", failing);
      expect(outcome).toMatchObject({ event: "error", class: "Exception", text: "RangeError" });
    });

    test("a Python caller is answered when a TypeScript handler returns nothing [§8.85]", async () => {
      const outcome = await callFrom(python, "ts_agent/k", { type: "MyMessage", message: { content: "nothing" } });
      expect(outcome).toMatchObject({ event: "answer", type: "UnknownPayload", message: { typeName: "NoneType" } });
    });

    test("a TypeScript caller gets a Python dataclass as the declared type [§8.82] [§8.94]", async () => {
      const answer = await worker.sendMessage(MyMessage({ content: text }), new AgentId("py_echo", "k"));
      expect(answer).toBeInstanceOf(MyMessage);
      expect(answer).toEqual({ content: text });
    });

    test("a TypeScript caller that has not declared the type gets its bytes, as Python wrote them [§8.82]", async () => {
      await using stranger = await startWorker();
      const answer = await stranger.sendMessage(MyMessage({ content: "hi" }), new AgentId("py_echo", "k"));
      if (!(answer instanceof UnknownPayload)) throw new Error("it was read as something known");
      expect([answer.typeName, answer.dataContentType]).toEqual(["MyMessage", "application/json"]);
      expect(new TextDecoder().decode(answer.payload)).toBe('{"content": "hi"}');
    });
  });
}

/** What the TypeScript agent does with a message: fails, says nothing, or gives it back. */
function answer(_agent: unknown, { content }: MessageOf<typeof MyMessage>) {
  switch (content) {
    case "fail":
      throw new Error("boom");
    case "fail without text":
      throw new RangeError("");
    case "nothing":
      return undefined;
    default:
      return MyMessage({ content });
  }
}
