import { describe, expect, test } from "vitest";
import { generations } from "./support/generations.ts";
import { callFrom, publishFrom, startPythonHost, startPythonWorker, startRawGrpc } from "./support/python-peers.ts";
import { recordedOfPythonHost } from "./support/recorded-host.ts";

/** The laboratory itself: AutoGen's workers on AutoGen's host, driven as the tests of ours drive them. */
for (const generation of generations) {
  describe.skipIf(generation.skipReason)(`the Python peers of ${generation.title}`, () => {
    test("call each other and publish to each other", async () => {
      const host = await startPythonHost(generation);
      await using _ = host.peer;
      await using serving = await startPythonWorker(generation, host.address, [
        { kind: "echo", type: "echo" },
        { kind: "failing", type: "failing", text: "boom" },
        { kind: "collector", type: "collector", subscriptions: [{ topicType: "news" }] },
      ]);
      await using calling = await startPythonWorker(generation, host.address);

      const hello = { type: "MyMessage", message: { content: "hello" } };
      expect(await callFrom(calling, "echo/k", hello)).toMatchObject({ event: "answer", ...hello });
      expect(await callFrom(calling, "failing/k", hello)).toMatchObject({ event: "error", text: "boom" });

      await publishFrom(calling, "news/today", hello);
      const received = await serving.next("received", { agent: "collector/today" });
      expect(received).toMatchObject({ topic: "news/today", sender: "unknown/unknown", isRpc: false, ...hello });
      expect(await calling.stop()).toBe(0);
    });

    test("publish protobuf messages under the name their generation gives them", async () => {
      const host = await startPythonHost(generation);
      await using _ = host.peer;
      const agents = [{ kind: "collector", type: "collector", subscriptions: [{ topicType: "news" }] }] as const;
      await using serving = await startPythonWorker(generation, host.address, agents);
      await using publishing = await startPythonWorker(generation, host.address, [], {
        format: "application/x-protobuf",
      });
      await publishFrom(publishing, "news/today", { type: "google.protobuf.StringValue", message: "hello" });
      expect(await serving.next("received")).toMatchObject({ type: "google.protobuf.StringValue", message: "hello" });
      expect(recordedOfPythonHost(generation, "protobuf-event-names").observed).toEqual({
        dataschema: generation.protobufName("google.protobuf.StringValue"),
      });
    });

    test("end at once when killed, and say what they did when they do not do what is awaited", async () => {
      const host = await startPythonHost(generation);
      const awaited = host.peer.next("received");
      await Promise.all([host.peer.kill(), expect(awaited).rejects.toThrow("waited for received")]);
      expect(await host.peer.exited).toBe("SIGKILL");
      await expect(host.peer.next("state")).rejects.toThrow(
        'has ended, no state {}. Its last events:\n  {"event":"ready"',
      );
    });

    test("speak bare gRPC as a client and as a server", async () => {
      await using server = await startRawGrpc(generation);
      await using client = await startRawGrpc(generation);
      const refusal = { code: "UNIMPLEMENTED", details: "Method not found!" };
      server.send({ cmd: "serve", auto: { RegisterAgent: refusal } });
      const { address } = await server.next("serving");

      const unary = client.send({ cmd: "unary", address, method: "GetSubscriptions", hex: "", clientId: "c" });
      expect(await client.next("unary", { id: unary })).toMatchObject({ code: "OK", hex: "" });
      const refused = client.send({ cmd: "unary", address, method: "RegisterAgent", hex: "0a0161", clientId: "c" });
      expect(await client.next("unary", { id: refused })).toMatchObject(refusal);

      const stream = client.send({ cmd: "open", address, clientId: "c", gzip: true });
      await client.next("headers", { id: stream });
      const { call } = await server.next("call", { method: "OpenChannel" });
      client.send({ cmd: "write", id: stream, hex: "ff".repeat(3000) });
      expect(await server.next("request", { call })).toMatchObject({ hex: "ff".repeat(3000) });
      server.send({ cmd: "reply", call, hex: "00" });
      expect(await client.next("frame", { id: stream })).toMatchObject({ hex: "00" });
      client.send({ cmd: "halfClose", id: stream });
      await server.next("callHalfClosed", { call });
      server.send({ cmd: "finish", call, code: "ABORTED", details: "enough" });
      expect(await client.next("closed", { id: stream })).toMatchObject({ code: "ABORTED", details: "enough" });

      const cancelled = client.send({ cmd: "open", address, clientId: "c" });
      await client.next("headers", { id: cancelled });
      const second = await server.next("call", { method: "OpenChannel" });
      client.send({ cmd: "cancel", id: cancelled });
      expect(await server.next("callEnded", { call: second.call })).toMatchObject({ how: "cancelled" });
    });
  });
}
