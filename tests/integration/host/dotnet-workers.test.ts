import { describe, expect, test } from "vitest";
import { GrpcWorkerAgentRuntimeHost, type GrpcWorkerAgentRuntimeHostOptions } from "../../../src/grpc/index.ts";
import type { HostOccurrence } from "../../../src/host/index.ts";
import type { Frame, WirePayload } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { grpcDialer, type Link } from "../../../src/transport/index.ts";
import { demo, openDemo } from "../../support/dotnet/demo-messages.ts";
import { DotnetWorker } from "../../support/dotnet/dotnet-worker.ts";
import { exact, prefix, RawWorker, textPayload } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

type Failure = Extract<Frame, { readonly kind: "response" }>;

/** A host, .NET's workers and workers of another kind on it. */
class Fleet implements AsyncDisposable {
  readonly host: GrpcWorkerAgentRuntimeHost;
  readonly logger = new RecordingLogger();
  readonly #dotnet: DotnetWorker[] = [];
  readonly #links: Link[] = [];

  private constructor(options: GrpcWorkerAgentRuntimeHostOptions) {
    this.host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger: this.logger, ...options });
  }

  static async start(options: GrpcWorkerAgentRuntimeHostOptions = {}): Promise<Fleet> {
    const fleet = new Fleet(options);
    await fleet.host.start();
    return fleet;
  }

  dotnet(options: ConstructorParameters<typeof DotnetWorker>[1] = {}): DotnetWorker {
    const worker = new DotnetWorker(this.host.address, options);
    this.#dotnet.push(worker);
    return worker;
  }

  /** One that serves `neta` and gets the topics `orders` and `ord…`, as the recorded one. */
  neta(options: ConstructorParameters<typeof DotnetWorker>[1] = {}): Promise<DotnetWorker> {
    return this.dotnet(options).start(["neta"], [exact("orders", "neta"), prefix("ord", "neta")]);
  }

  async other(clientId: string, ...types: readonly string[]): Promise<RawWorker> {
    const link = grpcDialer().dial(this.host.address);
    this.#links.push(link);
    const worker = await new RawWorker(link, clientId).join();
    for (const type of types) await worker.register(type);
    return worker;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of this.#dotnet) await worker[Symbol.asyncDispose]();
    await Promise.all(this.#links.map((link) => link.close()));
    await this.host.stop({ graceMs: 0 });
  }
}

const text = (frame: { readonly payload: WirePayload | undefined }) =>
  openDemo(frame.payload?.data ?? Buffer.of()).text;
const protobuf = (words: string) => ({ payload: demo("demo.Ask", words) });
const note = (id: string, source = "o1", payload = demo("demo.Note", id)): Frame => ({
  kind: "event",
  event: { id, topicType: "orders", topicSource: source, sender: undefined, payload, attributes: {} },
});

/** Sends a call to `neta/k1`, which the test then sees the worker handle or not, and returns its outcome. */
async function asked(caller: RawWorker, extra: Parameters<RawWorker["request"]>[2], target = "neta/k1") {
  caller.request("c1", target, extra);
  return caller.nextResponse();
}

describe("a .NET worker on Troupe's host", () => {
  test("calls and is called, publishes and gets events [§8.66]", async () => {
    await using fleet = await Fleet.start();
    const worker = await fleet.neta();
    const tsa = await fleet.other("T", "tsa");
    expect(text(await asked(tsa, protobuf("hi")))).toBe("neta/k1 heard hi");
    worker.call("tsa/k1", "hi", { type: "neta", key: "default" });
    const { requestId } = await tsa.nextRequest();
    tsa.send({ kind: "response", requestId, payload: demo("demo.Answer", "heard"), error: "", metadata: {} });
    expect(await worker.nextText()).toBe("heard");
    tsa.send(note("n1"));
    expect(await worker.handled.takeMany(3)).toMatchObject([{ text: "hi" }, { text: "n1" }, { text: "n1" }]);
    expect(fleet.host.counters()).toMatchObject({ withheldAnswers: 0, filteredEvents: 0, failedCalls: 1 });
  });
});

/** What a target may answer a .NET worker, and a word of what the log says of it. */
const unreadableAnswers: readonly (readonly [string, Partial<Failure>, RegExp])[] = [
  ["an error", { error: "disk is full" }, /^disk is full$/],
  ["an error beside a payload", { error: "half", payload: demo("demo.Answer", "x") }, /^half$/],
  ["JSON", { payload: textPayload("x") }, /MyMessage, application\/json.*protobufMessage\(Schema\)/],
  ["nothing", {}, /answered nothing/],
  ["NoneType", { payload: { ...textPayload(""), typeName: "NoneType" } }, /answered nothing/],
  ["bytes that are no Any", { payload: { ...demo("demo.Answer", "x"), data: Buffer.of(1, 2, 3) } }, /demo\.Answer/],
  ["an Any of another type", { payload: demo("demo.Answer", "x", "demo.Other") }, /demo\.Answer/],
];

describe("an answer that would end a .NET worker's reader", () => {
  test.each(unreadableAnswers)("is withheld when it is %s; the worker stays of use", async (_name, answer, said) => {
    await using fleet = await Fleet.start();
    const worker = await fleet.neta();
    const tsa = await fleet.other("T", "tsa");
    worker.call("tsa/k1", "first");
    const { requestId } = await tsa.nextRequest();
    tsa.send({ kind: "response", requestId, payload: undefined, error: "", metadata: {}, ...answer });
    const second = worker.call("tsa/k1", "second");
    const { requestId: next } = await tsa.nextRequest();
    tsa.send({ kind: "response", requestId: next, payload: demo("demo.Answer", "fine"), error: "", metadata: {} });
    expect((await worker.answers.take()).requestId).toBe(second);
    expect(text(await asked(tsa, protobuf("hi")))).toBe("neta/k1 heard hi");
    expect(worker.failures.rest).toEqual([]);
    expect(fleet.host.counters()).toMatchObject({ withheldAnswers: 1, pendingCalls: 0, replacedChannels: 0 });
    const [line, ...more] = fleet.logger.lines.filter(({ level }) => level === "warn");
    expect(more).toEqual([]);
    expect(line?.fields?.answer).toMatch(said);
    expect(line?.fields).toMatchObject({ clientId: worker.clientId, advice: expect.stringMatching(/--dotnet-errors/) });
  });

  test("is withheld when the host itself made it; the log names the first one only", async () => {
    const clock = new ManualClock();
    await using fleet = await Fleet.start({ clock, callTimeoutMs: 1_000, maxPendingCallsPerSession: 3 });
    const worker = await fleet.neta();
    const tsa = await fleet.other("T", "tsa");
    for (const count of [1, 2, 3]) worker.call("nobody/k", `${count}`);
    // A target that leaves with the call, one that is silent until the time is up, and more calls than a worker may have.
    const leaver = await fleet.other("L", "leaver");
    worker.call("leaver/k", "x");
    await leaver.nextRequest();
    leaver.stream.cancel();
    worker.call("tsa/k", "silent");
    await tsa.nextRequest();
    clock.advance(1_000);
    expect(fleet.host.counters().timedOutCalls).toBe(1);
    for (const count of [1, 2, 3, 4]) worker.call("tsa/k", `${count}`);
    for (const _count of [1, 2, 3]) await tsa.nextRequest();
    expect(text(await asked(tsa, protobuf("hi")))).toBe("neta/k1 heard hi");
    expect(worker.failures.rest).toEqual([]);
    const { withheldAnswers, failedCalls } = fleet.host.counters();
    expect(withheldAnswers).toBeGreaterThanOrEqual(6);
    // The others have asked for an error of the host's own, to know where they are.
    expect(failedCalls).toBeGreaterThan(withheldAnswers);
    const lines = fleet.logger.lines.filter(({ fields }) => fields?.answer !== undefined);
    expect(lines.map(({ fields }) => fields?.answer)).toEqual(["Agent type nobody not found."]);
  });

  test("is a google.rpc.Status by option, which a worker that knows the type reads", async () => {
    await using fleet = await Fleet.start({ dotnetErrors: "status" });
    const worker = await fleet.neta({ alsoKnows: ["google.rpc.Status"] });
    const tsa = await fleet.other("T", "tsa");
    const requestId = worker.call("nobody/k", "x");
    const taken = await worker.answers.take();
    expect(taken.requestId).toBe(requestId);
    // Status{code: 5 NOT_FOUND, message}, packed.
    expect(Buffer.from(taken.payload.data)).toEqual(
      Buffer.concat([
        Buffer.from(
          "\n%type.googleapis.com/google.rpc.Status\x12 \x08\x05\x12\x1cAgent type nobody not found.",
          "latin1",
        ),
      ]),
    );
    for (const [name, answer, said] of unreadableAnswers) {
      worker.call("tsa/k1", name);
      const { requestId: id } = await tsa.nextRequest();
      tsa.send({ kind: "response", requestId: id, payload: undefined, error: "", metadata: {}, ...answer });
      expect(await worker.nextText(2)).toMatch(said);
    }
    expect(worker.frames.every((frame) => frame.kind !== "response" || frame.error === "")).toBe(true);
    expect(worker.failures.rest).toEqual([]);
    expect(fleet.host.counters().withheldAnswers).toBe(0);
  });

  test.each([
    ["withhold", { outcome: "failed", code: "handler-failed" }, { answers: 1, withheldAnswers: 1 }],
    ["status", { outcome: "answered", code: undefined }, { answers: 2, withheldAnswers: 0 }],
  ] as const)("is an outcome that an observer sees, and is counted (%s)", async (dotnetErrors, outcome, counters) => {
    const seen: HostOccurrence[] = [];
    await using fleet = await Fleet.start({ dotnetErrors, observer: (what) => void seen.push(what) });
    const worker = await fleet.neta({ alsoKnows: ["google.rpc.Status"] });
    const tsa = await fleet.other("T", "tsa");
    for (const error of ["disk is full", ""]) {
      worker.call("tsa/k1", "x");
      const { requestId } = await tsa.nextRequest();
      tsa.send({ kind: "response", requestId, payload: demo("demo.Answer", "fine"), error, metadata: {} });
    }
    while ((await worker.answers.take()).payload.typeName !== "demo.Answer");
    const calls = seen.filter((what) => what.at === "call" && what.targetType === "tsa");
    expect(calls).toMatchObject([outcome, { outcome: "answered" }]);
    expect(fleet.host.counters()).toMatchObject(counters);
  });

  test("is sent as it came when the filter is off", async () => {
    await using fleet = await Fleet.start({ filterByPeer: false });
    const worker = await fleet.neta();
    worker.call("nobody/k", "x");
    expect(await worker.failures.take()).toContain("Payload is null");
    expect(worker.frames.at(-1)).toMatchObject({ error: "Agent type nobody not found." });
  });
});

describe("a call that would end a .NET worker's reader", () => {
  test.each<readonly [name: string, call: Parameters<RawWorker["request"]>[2], said: RegExp, target: string]>([
    [
      "JSON",
      { payload: textPayload("x") },
      /MyMessage.*application\/json.*protobufMessage\(Schema\) from troupe\/protobuf/,
      "neta/k1",
    ],
    ["without payload", {}, /no payload.*protobufMessage/, "neta/k1"],
    [
      "no Any",
      { payload: { ...demo("demo.Ask", "x"), data: Buffer.of(1, 2, 3) } },
      /demo\.Ask.*protobufMessage/,
      "neta/k1",
    ],
    [
      "an Any of another type",
      { payload: demo("demo.Ask", "x", "demo.Other") },
      /demo\.Ask.*protobufMessage/,
      "neta/k1",
    ],
    ["to a key that .NET refuses", protobuf("x"), /id of the request's target.*printable ASCII/, "neta/ключ"],
    ["to a blank key", protobuf("x"), /id of the request's target/, "neta/  "],
    [
      "from an agent whose type .NET refuses",
      { ...protobuf("x"), source: { type: "my-agent", key: "k" } },
      /id of the request's source.*isPortableAgentType/,
      "neta/k1",
    ],
  ])("%s fails at the host, which says what to do", async (_name, call, said, target) => {
    await using fleet = await Fleet.start();
    const worker = await fleet.neta();
    const caller = await fleet.other("C");
    const { error, metadata } = await asked(caller, call, target);
    expect(error).toMatch(said);
    expect(metadata).toMatchObject({ agerrorcode: "invalid-message" });
    expect(text(await asked(caller, { ...protobuf("hi"), source: { type: "portable_1", key: "k" } }))).toContain(
      "heard hi",
    );
    expect(worker.failures.rest).toEqual([]);
    expect(worker.frames).toHaveLength(1);
  });

  test("fails, too, when it has waited for the worker's channel", async () => {
    await using fleet = await Fleet.start();
    const worker = fleet.dotnet();
    await worker.register("neta");
    const caller = await fleet.other("C");
    caller.request("c1", "neta/k1", { payload: textPayload("x") });
    caller.request("c2", "neta/k1", protobuf("hi"));
    await caller.settled();
    await worker.open();
    expect((await caller.nextResponse()).error).toMatch(/protobufMessage/);
    expect(text(await caller.nextResponse())).toBe("neta/k1 heard hi");
  });

  test("goes to the worker when the filter is off", async () => {
    await using fleet = await Fleet.start({ filterByPeer: false });
    const worker = await fleet.neta();
    const caller = await fleet.other("C");
    caller.request("c1", "neta/k1", { payload: textPayload("x") });
    expect(await worker.failures.take()).toContain("MyMessage");
  });
});

describe("an event that would end a .NET worker's reader", () => {
  test.each([
    ["JSON", note("bad", "o1", textPayload("x"))],
    ["of a source that is no key there", note("bad", "größe")],
    ["of an empty source", note("bad", "")],
    ["without the name of its type", note("bad", "o1", { ...demo("demo.Note", "bad"), typeName: "" })],
  ])("is kept from it and counted when it is %s; others get it", async (_name, event) => {
    await using fleet = await Fleet.start();
    const worker = await fleet.neta();
    const other = await fleet.other("O", "other");
    await other.subscribe("S", exact("orders", "other"));
    other.send(event);
    expect(await other.nextEvent()).toMatchObject({ id: "bad" });
    other.send(note("good"));
    expect(await worker.handled.takeMany(2)).toMatchObject([{ text: "good" }, { text: "good" }]);
    expect(worker.failures.rest).toEqual([]);
    expect(fleet.host.counters()).toMatchObject({ filteredEvents: 1, deliveredEvents: 3 });
  });
});

/** A worker that has opened its channel again since a handler threw. */
async function reopened(fleet: Fleet, caller: RawWorker): Promise<DotnetWorker> {
  const worker = await fleet.neta();
  const { error } = await asked(caller, protobuf("throw"));
  expect(error).toBe("Client for agent type neta disconnected.");
  expect(await worker.failures.take()).toContain("the handler has thrown");
  return worker;
}

describe("a .NET worker that has opened its channel again", () => {
  test("still gets events; calls to its types fail at once and say to restart it [§8.25]", async () => {
    await using fleet = await Fleet.start();
    const caller = await fleet.other("C");
    const worker = await reopened(fleet, caller);
    for (const call of [protobuf("after"), { payload: textPayload("x") }]) {
      const { error, metadata } = await asked(caller, call);
      expect(error).toMatch(/agent type neta.*opened its channel again.*Restart that worker\./);
      expect(metadata.agerrorcode).toBe("undeliverable");
    }
    caller.send(note("n1"));
    expect(await worker.handled.takeMany(3)).toMatchObject([
      { kind: "call", text: "throw" },
      { text: "n1" },
      { text: "n1" },
    ]);
    expect(worker.frames.filter(({ kind }) => kind === "request")).toHaveLength(1);
    const lines = fleet.logger.texts("warn").filter((line) => line.includes("opened its channel again"));
    expect(lines).toHaveLength(1);
  });

  test("leaves its types to the worker that registers them next, with equal subscriptions", async () => {
    await using fleet = await Fleet.start();
    const caller = await fleet.other("C");
    const old = await reopened(fleet, caller);
    const heir = await fleet.neta();
    expect(text(await asked(caller, protobuf("hi")))).toBe("neta/k1 heard hi");
    caller.send(note("n1"));
    expect(await heir.handled.takeMany(3)).toMatchObject([{ text: "hi" }, { text: "n1" }, { text: "n1" }]);
    expect(await caller.subscriptions()).toHaveLength(2);
    expect(old.frames.filter(({ kind }) => kind === "event")).toEqual([]);
    await expect(old.register("neta")).rejects.toThrow(`already registered with client ${heir.clientId}`);
    await old[Symbol.asyncDispose]();
    expect(text(await asked(caller, protobuf("again")))).toBe("neta/k1 heard again");
    expect(fleet.host.counters()).toMatchObject({ agentTypes: 1, subscriptions: 2 });
  });

  test("keeps its types from others before that", async () => {
    await using fleet = await Fleet.start();
    await fleet.neta();
    await expect(fleet.neta()).rejects.toThrow("Agent type neta already registered with client");
  });

  test("gets no calls where another worker shares the type, and its events as before", async () => {
    await using fleet = await Fleet.start({ allowMultipleOwners: true, random: () => 0 });
    const caller = await fleet.other("C");
    const old = await reopened(fleet, caller);
    const heir = await fleet.neta();
    for (const key of ["k1", "k2"])
      expect(text(await asked(caller, protobuf("hi"), `neta/${key}`))).toContain("heard hi");
    caller.send(note("n1"));
    expect(await heir.handled.takeMany(4)).toMatchObject([
      { text: "hi" },
      { text: "hi" },
      { text: "n1" },
      { text: "n1" },
    ]);
    expect(await old.handled.takeMany(3)).toMatchObject([{ text: "throw" }, { text: "n1" }, { text: "n1" }]);
  });

  test("is known by its id, also when it comes over a new connection before the old one is gone", async () => {
    await using fleet = await Fleet.start();
    const caller = await fleet.other("C");
    const worker = await fleet.neta();
    const again = fleet.dotnet({ clientId: worker.clientId });
    await again.open();
    expect((await asked(caller, protobuf("x"))).error).toContain("Restart that worker.");
  });

  test("is known when it registers a type only afterwards, as after a lost host", async () => {
    await using fleet = await Fleet.start();
    const caller = await fleet.other("C");
    const worker = fleet.dotnet();
    await worker.open();
    const again = fleet.dotnet({ clientId: worker.clientId });
    await again.open();
    await again.register("late");
    expect((await asked(caller, protobuf("x"), "late/k")).error).toContain("Restart that worker.");
  });

  test("loses what it sends and becomes deaf, as the recorded one", async () => {
    await using fleet = await Fleet.start();
    const caller = await fleet.other("C", "tsa");
    const worker = await reopened(fleet, caller);
    worker.call("tsa/k1", "lost");
    expect(worker.isDeaf).toBe(true);
    worker.call("tsa/k1", "sent");
    expect(text(await caller.nextRequest())).toBe("sent");
  });
});
