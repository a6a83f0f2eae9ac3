import { AgentId, type MessageContext, type MessageMetadata, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Inbox } from "../support/inbox.ts";
import { Opened } from "../support/opened.ts";
import { FunctionAgent } from "../support/worker/function-agent.ts";
import { generations } from "./support/generations.ts";
import { MyMessage } from "./support/messages.ts";
import { type PythonHost, startPythonHost, startPythonWorker } from "./support/python-peers.ts";

const hi = MyMessage({ content: "hi" });
const metadata = { tenant: "acme", "user.id-1_x": "Zoë 🎭", empty: "" };

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`metadata of messages through the host of ${generation.title}`, () => {
    let opened: Opened;
    let host: PythonHost;
    let seen: Inbox<MessageMetadata>;
    let target: GrpcWorkerAgentRuntime;
    let caller: GrpcWorkerAgentRuntime;

    beforeEach(async () => {
      opened = new Opened();
      host = await startPythonHost(generation);
      opened.use(host.peer);
      [target, caller] = [await worker(), await worker()];
      seen = new Inbox();
      const answer = (message: unknown, context: MessageContext) => {
        seen.put(context.metadata);
        return message;
      };
      await target.registerFactory("ts-target", () => new FunctionAgent(answer));
      await target.addSubscription(new TypeSubscription("news", "ts-target"));
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    async function worker(): Promise<GrpcWorkerAgentRuntime> {
      const runtime = opened.use(new GrpcWorkerAgentRuntime(host.address));
      await runtime.start();
      runtime.addMessageSerializer(MyMessage);
      return runtime;
    }

    test("arrives unchanged with a call", async () => {
      await caller.sendMessage(hi, new AgentId("ts-target", "k"), { metadata });
      expect({ ...(await seen.take()) }).toEqual(metadata);
    });

    test("arrives unchanged with an event", async () => {
      await caller.publishMessage(hi, new TopicId("news", "k"), { metadata });
      expect({ ...(await seen.take()) }).toEqual(metadata);
    });

    test("does not disturb a Python agent, in calls and in events", async () => {
      const python = await startPythonWorker(generation, host.address, [
        { kind: "echo", type: "echo" },
        { kind: "collector", type: "collector", subscriptions: [{ topicType: "papers" }] },
      ]);
      opened.use(python);
      expect(await caller.sendMessage(hi, new AgentId("echo", "k"), { metadata })).toEqual(hi);
      await caller.publishMessage(hi, new TopicId("papers", "k"), { metadata });
      expect(await python.next("received", { agent: "collector/k" })).toMatchObject({ message: { content: "hi" } });
    });
  });
}
