import {
  emptyMessage,
  encodeAddSubscriptionRequest,
  encodeRegisterAgentRequest,
  encodeRemoveSubscriptionRequest,
} from "troupe/protocol";
import { describe, expect, test } from "vitest";
import { encodeAgentId, encodeStoredState } from "../../src/protocol/internal.ts";
import { exact } from "../support/raw-worker.ts";
import { generations } from "./support/generations.ts";
import { GrpcPythonChannel, ok, statusOf, unaryFrom } from "./support/grpc-python-channel.ts";
import { Laboratory } from "./support/laboratory.ts";
import { recordedOfPythonHost } from "./support/recorded-host.ts";

const idMissing = { code: "INVALID_ARGUMENT", details: "client-id metadata not found." };

const newest = generations.filter(({ number }) => number === 3);

describe("what our host does just as AutoGen's", () => {
  for (const generation of newest) {
    const runs = test.skipIf(generation.skipReason);

    runs("every unary registration without client-id is refused in the same words [§8.14]", async () => {
      await using lab = await Laboratory.start(generation);
      const raw = await lab.grpcPython();
      const recorded = recordedOfPythonHost(generation, "missing-client-id").observed;
      for (const method of ["RegisterAgent", "AddSubscription", "RemoveSubscription", "GetSubscriptions"]) {
        expect(recorded).toMatchObject({ [method]: idMissing });
        expect(await unaryFrom(raw, lab.host.address, method, emptyMessage)).toMatchObject(idMissing);
      }
    });

    runs("a channel without client-id is refused when workers of gen 1 are not welcome [§8.15]", async () => {
      await using lab = await Laboratory.start(generation, { acceptLegacyWorkers: false });
      expect(recordedOfPythonHost(generation, "missing-client-id").observed).toMatchObject({
        OpenChannel: { closed: "INVALID_ARGUMENT" },
      });
      const channel = GrpcPythonChannel.open(await lab.grpcPython(), lab.host.address, {});
      expect(await channel.closed()).toEqual(idMissing);
    });

    runs("every method of every generation is there, and no other [§8.2]", async () => {
      await using lab = await Laboratory.start(generation);
      const channel = await lab.channel("c1");
      const agentId = { type: "raw", key: "k" };
      const requests: readonly (readonly [string, Uint8Array])[] = [
        ["RegisterAgent", encodeRegisterAgentRequest("raw")],
        ["AddSubscription", encodeAddSubscriptionRequest({ id: "s1", pattern: exact("t", "raw") })],
        ["GetSubscriptions", emptyMessage],
        ["RemoveSubscription", encodeRemoveSubscriptionRequest("s1")],
        ["SaveState", encodeStoredState({ agentId, eTag: "", data: { kind: "text", text: "{}" } })],
        ["GetState", encodeAgentId(agentId)],
      ];
      for (const [method, request] of requests) expect(statusOf(await channel.unary(method, request))).toEqual(ok);
      await GrpcPythonChannel.open(await lab.grpcPython(), lab.host.address, {
        clientId: "c1",
        method: "OpenControlChannel",
      }).joined();
      expect(await channel.unary("NoSuchMethod", emptyMessage)).toMatchObject({ code: "UNIMPLEMENTED" });
      expect(recordedOfPythonHost(generation, "every-method-with-client-id").observed).toMatchObject({
        GetState: { code: "UNIMPLEMENTED" },
        NoSuchMethod: { code: "UNIMPLEMENTED" },
      });
    });

    runs("of several client-ids in one call the last one counts", async () => {
      await using lab = await Laboratory.start(generation);
      const raw = await lab.grpcPython();
      const metadata = [
        ["client-id", "one"],
        ["client-id", "two"],
      ] as const;
      const hex = Buffer.from(encodeRegisterAgentRequest("raw")).toString("hex");
      const id = raw.send({ cmd: "unary", address: lab.host.address, method: "RegisterAgent", hex, metadata });
      expect(await raw.next("unary", { id })).toMatchObject(ok);
      expect(await (await lab.channel("other")).register("raw")).toEqual({
        code: "INVALID_ARGUMENT",
        details: "Agent type raw already registered with client two.",
      });
      expect(recordedOfPythonHost(generation, "client-id-twice-in-one-call").observed).toMatchObject({ owner: "two" });
    });

    runs("a cancelled channel frees its type and subscription [§8.18] [§8.24]", async () => {
      await using lab = await Laboratory.start(generation);
      const gone = await lab.channel("gone");
      await gone.register("raw");
      await gone.subscribe("s1", "t", "raw");
      gone.cancel();
      await gone.closed();
      const other = await lab.channel("other");
      while ((await other.register("raw")).code !== "OK");
      expect(lab.host.counters().subscriptions).toBe(0);
      expect(recordedOfPythonHost(generation, "cancelled-channel").observed).toMatchObject({
        "agent types": [],
        subscriptions: 0,
      });
    });

    runs("a channel whose deadline passes is freed", async () => {
      await using lab = await Laboratory.start(generation);
      const brief = await GrpcPythonChannel.open(await lab.grpcPython(), lab.host.address, {
        clientId: "brief",
        deadlineMs: 500,
      }).joined();
      await brief.register("raw");
      expect(await brief.closed()).toMatchObject({ code: "DEADLINE_EXCEEDED" });
      expect(recordedOfPythonHost(generation, "deadline-on-the-channel").observed).toMatchObject({ "agent types": [] });
      const other = await lab.channel("other");
      while ((await other.register("raw")).code !== "OK");
    });

    runs("an empty message is passed over [§8.13]", async () => {
      await using lab = await Laboratory.start(generation);
      const channel = await lab.channel("caller");
      channel.sendHex("");
      channel.call("1", "nobody/k");
      expect(await channel.next()).toMatchObject({ requestId: "1" });
      expect(lab.host.counters().emptyFrames).toBe(1);
      expect(recordedOfPythonHost(generation, "message-without-arm").observed).toMatchObject({
        "call afterwards": { response: { request_id: "1" } },
      });
    });

    runs("messages that are compressed with gzip are read, in a channel and in a unary call", async () => {
      await using lab = await Laboratory.start(generation);
      const raw = await lab.grpcPython();
      const hex = Buffer.from(encodeRegisterAgentRequest("a".repeat(500))).toString("hex");
      const { address } = lab.host;
      const id = raw.send({ cmd: "unary", address, method: "RegisterAgent", hex, clientId: "zip", gzip: true });
      expect(await raw.next("unary", { id })).toMatchObject(ok);
      const zipped = await GrpcPythonChannel.open(raw, address, { clientId: "zipped", gzip: true }).joined();
      await zipped.register("raw");
      zipped.call("1", "raw/k", "a".repeat(2_000));
      const { payload } = await zipped.nextOf("request");
      expect(payload?.data.length).toBeGreaterThan(2_000);
      expect(recordedOfPythonHost(generation, "compressed-messages").observed).toEqual({
        unary: ok,
        channel: "answered",
      });
    });

    runs("an event with an invalid topic type is dropped, and the channel goes on [§8.60]", async () => {
      await using lab = await Laboratory.start(generation);
      const channel = await lab.channel("caller");
      await channel.register("raw");
      await channel.subscribe("s1", "t", "raw");
      channel.publish("not valid!/k", "bad");
      channel.publish("t/k", "good");
      expect((await channel.nextOf("event")).event.id).toBe("good");
      expect(lab.host.counters().invalidEvents).toBe(1);
      expect(recordedOfPythonHost(generation, "invalid-topic").observed).toMatchObject({
        "good event afterwards": '{"content": "good"}',
      });
    });

    runs(
      "of answers to unknown ids, second answers and answers of others only the first right one counts [§8.49] [§8.50]",
      async () => {
        await using lab = await Laboratory.start(generation);
        const [target, caller, stranger] = [
          await lab.channel("target"),
          await lab.channel("caller"),
          await lab.channel("stranger"),
        ];
        await target.register("raw");
        const answer = (requestId: string, text: string) =>
          ({ kind: "response", requestId, payload: undefined, error: text, metadata: {} }) as const;
        target.send(answer("77", "unknown id"));
        caller.call("1", "raw/k");
        const { requestId } = await target.nextOf("request");
        stranger.send(answer(requestId, "from a stranger"));
        stranger.call("barrier", "nobody/k");
        await stranger.nextOf("response");
        for (const text of ["first", "second"]) target.send(answer(requestId, text));
        expect(await caller.nextOf("response")).toMatchObject({ requestId: "1", error: "first" });
        target.call("barrier", "nobody/k");
        await target.nextOf("response");
        expect(lab.host.counters()).toMatchObject({ answers: 1, lateAnswers: 2, strayAnswers: 1 });
        expect(recordedOfPythonHost(generation, "answers-nobody-waits-for").observed).toHaveProperty(
          "then",
          "no frame",
        );
      },
    );
  }
});
