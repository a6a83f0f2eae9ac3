import { describe, expect } from "vitest";
import type { GrpcPythonChannel } from "./support/grpc-python-channel.ts";
import { Laboratory } from "./support/laboratory.ts";
import { MyMessage } from "./support/messages.ts";
import type { MessageToSend, PythonAgent } from "./support/peer-protocol.ts";
import { callFrom, publishFrom } from "./support/python-peers.ts";
import { situation } from "./support/situation.ts";

const hello: MessageToSend = { type: "MyMessage", message: { content: "hello" } };
const fiveMiB: MessageToSend = { type: "MyMessage", message: { content: { fill: 5 * 1024 * 1024 } } };
const held: PythonAgent = { kind: "held", type: "held" };
const echo: PythonAgent = { kind: "echo", type: "echo" };

/** Python workers on our host, in each situation in which AutoGen's own host leaves a caller alone or worse. */
describe("calls of Python workers through our host", () => {
  situation(
    {
      title: "of two callers that use the same request id, each gets its own answer [§8.42]",
      scenario: "two-callers-with-equal-request-ids",
      recorded: {
        "first caller": "no answer",
        "second caller": { answer: { content: "answer to: from the first" } },
      },
      autogen: "the first answer goes to the wrong caller, the other caller never gets an answer",
      troupe: "each caller gets its own answer",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const target = await lab.python([held]);
      const callers = [await lab.python(), await lab.python()];
      const outcomes = [];
      for (const [index, caller] of callers.entries()) {
        outcomes.push(callFrom(caller, "held/k", { type: "MyMessage", message: { content: `caller ${index}` } }));
        await target.next("received", { agent: "held/k" });
      }
      target.send({ cmd: "release", agent: "held/k", prefix: "answer to ", count: 2 });
      expect(await Promise.all(outcomes)).toMatchObject([
        { message: { content: "answer to caller 0" } },
        { message: { content: "answer to caller 1" } },
      ]);
    },
  );

  situation(
    {
      title: "a call to a type that nobody serves is answered at once [§8.44]",
      scenario: "unknown-target-type",
      recorded: { caller: "no answer" },
      autogen: "the caller never gets an answer",
      troupe: "`Agent type nobody not found.`",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const outcome = await callFrom(await lab.python(), "nobody/k", hello, { timeoutMs: 1_000 });
      expect(outcome).toMatchObject({ event: "error", class: "Exception", text: "Agent type nobody not found." });
    },
  );

  situation(
    {
      title: "a call without a target, or to a type that no agent can have, is answered [§8.45]",
      scenario: "empty-or-invalid-target",
      recorded: { caller: "no frame" },
      autogen: "the caller never gets an answer",
      troupe: "an error that says what is wrong with the target",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const channel = await lab.channel("caller");
      channel.call("1", undefined);
      expect(await channel.next()).toMatchObject({ requestId: "1", error: "The request names no target agent." });
      channel.call("2", "not valid!/k");
      expect(await channel.next()).toMatchObject({
        requestId: "2",
        error: expect.stringContaining("Invalid agent type: not valid!"),
      });
    },
  );

  situation(
    {
      title: "the caller is told when the target's worker is killed with -9 in mid-call [§8.46]",
      scenario: "target-killed-in-mid-call",
      recorded: { caller: "no answer" },
      autogen: "the caller never gets an answer",
      troupe: "`Client for agent type held disconnected.`",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const target = await lab.python([held]);
      const outcome = callFrom(await lab.python(), "held/k", hello);
      await target.next("received", { agent: "held/k" });
      await target.kill();
      expect(await outcome).toMatchObject({ event: "error", text: "Client for agent type held disconnected." });
    },
  );

  situation(
    {
      title: "a caller that is killed leaves nothing behind, and the answer to it is thrown away [§8.47]",
      scenario: "caller-leaves-in-mid-call",
      recorded: { "pending before the answer": 1 },
      autogen: "the call is kept until its answer comes",
      troupe: "forgotten with the caller; the late answer is counted",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const target = await lab.python([held]);
      const caller = await lab.python([{ kind: "echo", type: "caller" }]);
      const outcome = expect(callFrom(caller, "held/k", hello)).rejects.toThrow();
      await target.next("received", { agent: "held/k" });
      await Promise.all([caller.kill(), outcome]);
      await takenOver(await lab.channel("successor"), "caller");
      expect(lab.host.counters().pendingCalls).toBe(0);
      target.send({ cmd: "release", agent: "held/k" });
      // What the target sends next comes after that answer.
      await callFrom(target, "nobody/k", hello);
      expect(lab.host.counters()).toMatchObject({ lateAnswers: 1, pendingCalls: 0 });
    },
  );

  situation(
    {
      title: "a Python handler that can't answer costs its caller no more than the host's time limit [§8.48]",
      scenario: "handler-that-cannot-answer",
      recorded: {
        "returns-none": "no answer",
        "returns-unregistered": "no answer",
        "broken-factory": "no answer",
        "pydantic-echo": "no answer",
      },
      autogen: "the caller never gets an answer",
      troupe: "`Request to returns-none/k timed out after … ms.` (option `callTimeoutMs`)",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation, { callTimeoutMs: 300 });
      const kinds = ["returns-none", "returns-unregistered", "broken-factory", "pydantic-echo", "held"] as const;
      const target = await lab.python(kinds.map((kind) => ({ kind, type: kind })));
      const caller = await lab.python();
      const outcomes = await Promise.all(kinds.map((kind) => callFrom(caller, `${kind}/k`, hello)));
      expect(outcomes).toMatchObject(
        kinds.map((kind) => ({ event: "error", text: `Request to ${kind}/k timed out after 300 ms.` })),
      );
      target.send({ cmd: "release", agent: "held/k" });
      await callFrom(target, "nobody/k", hello);
      expect(lab.host.counters()).toMatchObject({ timedOutCalls: kinds.length, lateAnswers: 1, pendingCalls: 0 });
    },
  );

  situation(
    {
      title: "a call over 4 MiB fails alone when its target is a stock Python worker, and both go on",
      scenario: "call-over-4-mib",
      recorded: { large: "no answer", "small afterwards": "no answer", "event afterwards": null },
      autogen: "the caller's channel ends unnoticed: all it sends afterwards is lost",
      troupe: "that call is answered with an error; everything else goes on",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const target = await lab.python([echo]);
      const caller = await lab.python();
      expect(await callFrom(caller, "echo/k", fiveMiB)).toMatchObject({ event: "error", text: tooLarge });
      expect(await callFrom(caller, "echo/k", hello)).toMatchObject({ event: "answer", ...hello });
      await publishFrom(caller, "echo:x/k", hello);
      await target.next("received", { topic: "echo:x/k" });
    },
  );

  situation(
    {
      title: "a call over 4 MiB gets through when the limits of host and workers are raised",
      scenario: "answer-over-4-mib",
      recorded: { large: "no answer", "target's channel ended": true, "agent types": [] },
      autogen: "the target's channel ends: its agents are gone",
      troupe: "gets through to workers with raised limits (option `stockPeerMaxBytes`); a stock one is never sent it",
    },
    async (generation) => {
      const maxMessageBytes = 16 * 1024 * 1024;
      await using lab = await Laboratory.start(generation, { stockPeerMaxBytes: maxMessageBytes });
      await lab.python([echo], { maxMessageBytes });
      const caller = await lab.python([], { maxMessageBytes });
      const answer = await callFrom(caller, "echo/k", fiveMiB);
      expect(answer).toMatchObject({ event: "answer", message: { content: { length: 5 * 1024 * 1024 } } });
    },
  );

  situation(
    {
      title: "an answer over 4 MiB becomes an error for a stock Python caller, whose channel lives on",
      scenario: "answer-over-4-mib",
      recorded: { large: "no answer", "small afterwards": "no answer" },
      autogen: "the target's channel ends: its agents are gone",
      troupe: "gets through to workers with raised limits (option `stockPeerMaxBytes`); a stock one is never sent it",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const target = await lab.typescript();
      await target.echo("echo");
      const caller = await lab.python();
      expect(await callFrom(caller, "echo/k", fiveMiB)).toMatchObject({ event: "error", text: tooLarge });
      const { message } = await target.received("echo/k");
      expect((message as { content: string }).content).toHaveLength(5 * 1024 * 1024);
      expect(await callFrom(caller, "echo/k", hello)).toMatchObject({ event: "answer", ...hello });
    },
  );

  situation(
    {
      title: "an event over 4 MiB is kept from a stock Python worker, whose channel lives on",
      scenario: "event-over-4-mib",
      recorded: { "small event afterwards": null, "subscriber's channel ended": true, "agent types": [] },
      autogen: "the subscriber's channel ends: its agents are gone",
      troupe: "that worker is not sent the event; others get it, and everything else goes on",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const collector: PythonAgent = { kind: "collector", type: "collector", subscriptions: [{ topicType: "news" }] };
      const stock = await lab.python([collector]);
      const typescript = await lab.typescript({ types: [MyMessage] });
      await typescript.collect("ours", "news");
      await typescript.publish("news/large", MyMessage({ content: "L".repeat(5 * 1024 * 1024) }));
      await typescript.publish("news/small", MyMessage({ content: "hello" }));
      expect(await stock.next("received")).toMatchObject({ ...hello, agent: "collector/small" });
      for (const agent of ["ours/large", "ours/small"]) await typescript.received(agent);
      const channelEnded = stock.send({ cmd: "state" });
      expect(await stock.next("state", { id: channelEnded })).toMatchObject({ channelEnded: false });
      expect(lab.host.counters().filteredEvents).toBe(1);
    },
  );

  situation(
    {
      title: "when the host stops, callers that wait are answered first [§8.53]",
      scenario: "host-stops-with-a-pending-call",
      recorded: { caller: "no answer" },
      autogen: "the caller never gets an answer",
      troupe: "`Host is shutting down.`",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const target = await lab.python([held]);
      const outcome = callFrom(await lab.python(), "held/k", hello);
      await target.next("received", { agent: "held/k" });
      await lab.host.stop(1);
      expect(await outcome).toMatchObject({ event: "error", text: "Host is shutting down." });
    },
  );

  situation(
    {
      title: "a payload that a Python worker can't read costs its caller no more than the time limit",
      scenario: "malformed-payload",
      recorded: { "not JSON": "no frame", "no payload": "no frame" },
      autogen: "the caller never gets an answer",
      troupe: "a TypeScript worker answers with an error; for a Python one the host does after `callTimeoutMs`",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation, { callTimeoutMs: 300 });
      await lab.python([echo]);
      const channel = await lab.channel("caller");
      sendMalformed(channel, "echo/k");
      const outcomes = [];
      for (const _ of malformed) outcomes.push(await channel.nextOf("response"));
      expect(outcomes.map(({ error }) => error)).toEqual(
        malformed.map(() => "Request to echo/k timed out after 300 ms."),
      );
      channel.call("good", "echo/k", "still here");
      expect(await channel.next()).toMatchObject({ requestId: "good", error: "" });
    },
  );

  situation(
    {
      title: "a payload that our worker can't read is answered with an error at once [§8.86]",
      scenario: "malformed-payload",
      recorded: { "not JSON": "no frame", "not UTF-8": "no frame", "field missing": "no frame" },
      autogen: "the caller never gets an answer",
      troupe: "a TypeScript worker answers with an error; for a Python one the host does after `callTimeoutMs`",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      const target = await lab.typescript({ types: [MyMessage] });
      await target.echo("echo");
      const channel = await lab.channel("caller");
      sendMalformed(channel, "echo/k");
      for (const { name } of malformed) {
        expect(await channel.nextOf("response")).toMatchObject({
          requestId: name,
          error: expect.stringContaining("MyMessage"),
        });
      }
      channel.call("good", "echo/k", "still here");
      expect(await channel.next()).toMatchObject({ requestId: "good", error: "" });
    },
  );

  situation(
    {
      title: "bytes that are no frame fail alone: the next frame of that channel is taken",
      scenario: "malformed-frame",
      recorded: { "good call on that channel afterwards": "no frame" },
      autogen: "the channel is no longer read: its calls are never answered",
      troupe: "that frame is dropped and counted; the channel goes on",
    },
    async (generation) => {
      await using lab = await Laboratory.start(generation);
      await lab.python([echo]);
      const channel = await lab.channel("caller");
      channel.sendHex("0aff");
      channel.call("1", "echo/k");
      expect(await channel.next()).toMatchObject({ requestId: "1", error: "" });
      expect(lab.host.counters().badFrames).toBe(1);
    },
  );
});

const tooLarge = expect.stringContaining("4194304");

/** Payloads of a MyMessage that are none. */
const malformed = [
  { name: "not JSON", data: Buffer.from("{oops") },
  { name: "not UTF-8", data: Buffer.from([0x22, 0xff, 0x22]) },
  { name: "field missing", data: Buffer.from("{}") },
];

function sendMalformed(channel: GrpcPythonChannel, target: string): void {
  const [type = "", key = ""] = target.split("/");
  for (const { name, data } of malformed) {
    const payload = { typeName: "MyMessage", contentType: "application/json", data };
    const addressed = { requestId: name, source: undefined, target: { type, key } };
    channel.send({ kind: "request", ...addressed, payload, metadata: {} });
  }
}

/** Resolves when the host has freed a type, by trying to take it. */
async function takenOver(channel: GrpcPythonChannel, agentType: string): Promise<void> {
  while ((await channel.register(agentType)).code !== "OK");
}
