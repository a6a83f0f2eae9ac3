import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { AgentId, defineState, type MessageContext, type MessageOf, persistentAgent, rpc, TopicId } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { openTelemetryHostTracing, openTelemetryTracing } from "troupe/telemetry/otel";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import { Opened } from "../support/opened.ts";
import { MyMessage } from "../support/worker/messages.ts";
import { generations } from "./support/generations.ts";
import type { PeerEvent } from "./support/peer-protocol.ts";
import type { PythonPeer } from "./support/python-peer.ts";
import { startPythonWorker } from "./support/python-peers.ts";

const Count = defineState(z.object({ told: z.number() }), { initial: { told: 0 } });

/** Publishes and tells in a turn whose effects leave with its commit. */
class Announcer extends persistentAgent(Count) {
  @rpc(MyMessage)
  async announce(message: MessageOf<typeof MyMessage>, { signal }: MessageContext) {
    this.state.told += 1;
    await this.publishMessage(message, new TopicId("news", "k"), { signal });
    await this.tell(message, new AgentId("echo", "k"));
  }
}

for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`${generation.title}, called and told by a traced TypeScript worker`, () => {
    const exporter = new InMemorySpanExporter();
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    let opened: Opened;
    let python: PythonPeer;
    let worker: GrpcWorkerAgentRuntime;

    beforeEach(async () => {
      opened = new Opened();
      exporter.reset();
      const host = opened.use(
        new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { tracing: openTelemetryHostTracing({ tracerProvider }) }),
      );
      await host.start();
      const subscriptions = [{ topicType: "news" }];
      const agents = [
        { kind: "collector", type: "collector", subscriptions } as const,
        { kind: "echo", type: "echo" } as const,
      ];
      python = opened.use(await startPythonWorker(generation, host.address, agents, { notesSpans: true }));
      worker = opened.use(
        new GrpcWorkerAgentRuntime(host.address, { tracing: openTelemetryTracing({ tracerProvider }) }),
      );
      await worker.start();
      worker.addMessageSerializer(MyMessage);
    });
    afterEach(() => opened[Symbol.asyncDispose]());

    // Up to 0.4.5 what comes with a message is its span's parent, since then a link.
    const follows = generation.number === 3 ? "links to" : "is a child of";

    test(`the span of Python's event handler ${follows} the span that published [§8.79]`, async () => {
      await worker.publishMessage(MyMessage({ content: "hi" }), new TopicId("news", "k"));
      const span = await python.next("span", { name: "autogen process collector.(k)-A" });
      expect(followed(span)).toEqual(idsOf("autogen create news.(k)-T"));
    });

    test(`the span of Python's call handler ${follows} the span that made the call`, async () => {
      await worker.sendMessage(MyMessage({ content: "hi" }), new AgentId("echo", "k"));
      const span = await python.next("span", { name: "autogen process echo.(k)-A" });
      expect(followed(span)).toEqual(idsOf("autogen create echo.(k)-A"));
    });

    test(`the span of Python's handler of an event that rode on a commit ${follows} the turn that made it`, async () => {
      await Announcer.register(worker, "announcer", () => new Announcer("counts and tells"));
      await worker.sendMessage(MyMessage({ content: "hi" }), new AgentId("announcer", "k"));
      const span = await python.next("span", { name: "autogen process collector.(k)-A" });
      expect(followed(span)).toEqual(idsOf("autogen create news.(k)-T"));
      const told = await python.next("span", { name: "autogen process echo.(k)-A" });
      expect(followed(told)).toEqual(idsOf("autogen create echo.(k)-A"));
      const [call, event, tell] = ["announcer.(k)-A", "news.(k)-T", "echo.(k)-A"].map((name) =>
        idsOf(`autogen create ${name}`),
      );
      for (const made of [event, tell]) expect(made?.split("/")[0]).toBe(call?.split("/")[0]);
    });

    test("one trace shows a call from its caller through the host to Python, and back", async () => {
      await worker.sendMessage(MyMessage({ content: "hi" }), new AgentId("echo", "k"));
      const span = await python.next("span", { name: "autogen process echo.(k)-A" });
      const create = exporter.getFinishedSpans().find(({ name }) => name === "autogen create echo.(k)-A");
      const traceId = create?.spanContext().traceId;
      expect(followed(span)?.split("/")[0]).toBe(traceId);
      const names = exporter.getFinishedSpans().map(({ name }) => name);
      const ofHost = ["troupe receive echo.(k)-A", "troupe route", "troupe queue", "troupe deliver"];
      expect(names).toEqual(expect.arrayContaining(["autogen send echo.(k)-A", ...ofHost, "autogen ack"]));
      expect(new Set(exporter.getFinishedSpans().map((one) => one.spanContext().traceId))).toEqual(new Set([traceId]));
      const receive = exporter.getFinishedSpans().find(({ name }) => name === ofHost[0]);
      expect(receive?.parentSpanContext?.spanId).toBe(create?.spanContext().spanId);
      expect(receive?.attributes["troupe.outcome"]).toBe("answered");
    });

    function followed({ links, parent }: PeerEvent<"span">) {
      return generation.number === 3 ? links[0] : parent;
    }

    function idsOf(name: string): string {
      const found = exporter.getFinishedSpans().find((span) => span.name === name);
      if (found === undefined) throw new Error(`no span ${name}`);
      const { traceId, spanId } = found.spanContext();
      return `${traceId}/${spanId}`;
    }
  });
}
