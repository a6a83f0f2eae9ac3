import { AgentId, handlerTable, RoutedAgent } from "troupe";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ClusterPrograms } from "../support/cluster-programs.ts";
import { natsAbsence } from "../support/nats-server.ts";
import { Opened } from "../support/opened.ts";
import { generations } from "./support/generations.ts";
import { MyMessage } from "./support/messages.ts";
import type { PythonPeer } from "./support/python-peer.ts";
import { callFrom, publishFrom, startPythonWorker } from "./support/python-peers.ts";
import { TypeScriptWorker } from "./support/typescript-worker.ts";

const hello = { type: "MyMessage", message: { content: "hello" } };

for (const generation of generations) {
  describe.skipIf(generation.skipReason ?? natsAbsence())(`two hosts of a cluster and ${generation.title}`, () => {
    const opened = new Opened();
    let serving: PythonPeer;
    let calling: PythonPeer;
    let typescript: TypeScriptWorker;

    beforeAll(async () => {
      const cluster = opened.use(await ClusterPrograms.start());
      const [one, two] = [await cluster.startHost(), await cluster.startHost()];
      serving = opened.use(
        await startPythonWorker(generation, two.address, [
          { kind: "echo", type: "py-echo" },
          { kind: "collector", type: "py-collector", subscriptions: [{ topicType: "news" }] },
        ]),
      );
      calling = opened.use(await startPythonWorker(generation, one.address));
      typescript = opened.use(await TypeScriptWorker.start(one.address));
      await typescript.echo("ts-echo");
      await typescript.collect("ts-collector", "news");
    });
    afterAll(() => opened[Symbol.asyncDispose]());

    test("carry calls from Python to Python, from TypeScript to Python, and from Python to TypeScript", async () => {
      expect(await callFrom(calling, "py-echo/k", hello)).toMatchObject({ event: "answer", ...hello });
      expect(await typescript.callShown("py-echo/k", MyMessage({ content: "hello" }))).toMatchObject(hello);
      expect(await callFrom(serving, "ts-echo/k", hello)).toMatchObject({ event: "answer", ...hello });
    });

    test("carry an answer that streams to Python in one piece, and Python's answer to a reader of chunks", async () => {
      class Streams extends RoutedAgent {
        static override readonly handlers = handlerTable<Streams>().rpc(MyMessage, async function* ({ content }) {
          yield MyMessage({ content: "a chunk" });
          return MyMessage({ content });
        });
      }
      await Streams.register(typescript.runtime, "ts-streams", () => new Streams("streams"));
      expect(await callFrom(serving, "ts-streams/k", hello)).toMatchObject({ event: "answer", ...hello });
      const stream = typescript.runtime.stream(MyMessage({ content: "hello" }), new AgentId("py-echo", "k"));
      for await (const _chunk of stream) expect.unreachable();
      expect(await stream.answer).toMatchObject({ content: "hello" });
    });

    test("carry events of either host to the subscribers of both", async () => {
      await publishFrom(calling, "news/one", hello);
      await publishFrom(serving, "news/two", hello);
      await typescript.publish("news/three", MyMessage({ content: "hello" }));
      for (const source of ["one", "two", "three"]) {
        expect(await serving.next("received", { agent: `py-collector/${source}` })).toMatchObject(hello);
        expect(await typescript.received(`ts-collector/${source}`)).toMatchObject({ topic: `news/${source}` });
      }
    });

    test("tell a Python caller of a type that no host serves what one host tells it", async () => {
      expect(await callFrom(calling, "nobody/k", hello)).toMatchObject({
        event: "error",
        text: expect.stringContaining("Agent type nobody not found."),
      });
    });
  });
}
