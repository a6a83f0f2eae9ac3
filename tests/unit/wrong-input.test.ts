// Over 400 lines: one table names each public options object.
import { readFileSync } from "node:fs";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import * as troupe from "troupe";
import * as ai from "troupe/ai";
import * as aiTesting from "troupe/ai/testing";
import * as client from "troupe/client";
import * as cluster from "troupe/cluster";
import * as grpc from "troupe/grpc";
import * as host from "troupe/host";
import * as nats from "troupe/nats";
import * as protobuf from "troupe/protobuf";
import * as security from "troupe/security";
import * as jwt from "troupe/security/jwt";
import * as storage from "troupe/storage";
import * as postgres from "troupe/storage/postgres";
import * as sqlite from "troupe/storage/sqlite";
import * as teams from "troupe/teams";
import * as telemetry from "troupe/telemetry";
import * as otel from "troupe/telemetry/otel";
import * as testing from "troupe/testing";
import * as transport from "troupe/transport";
import * as web from "troupe/web";
import * as worker from "troupe/worker";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { type PublicOption, publicCallables, publicOptions } from "../support/public-api.ts";

const { AgentId, TopicId, SingleThreadedAgentRuntime, defineMessage, RoutedAgent, handlerTable } = troupe;
const Note = defineMessage("Note", z.object({ text: z.string() }));
const note = Note({ text: "x" });
const id = new AgentId("reader", "k");
const topic = new TopicId("news", "k");

class Reader extends RoutedAgent {}

/** What plain JavaScript lets through; the compiler takes `never` for anything. */
function given(value: unknown): never {
  return value as never;
}

const newRuntime = () => new SingleThreadedAgentRuntime();
const newWorker = (options: object = {}) => new grpc.GrpcWorkerAgentRuntime("127.0.0.1:1", given(options));
const newHost = (options: object = {}) => new grpc.GrpcWorkerAgentRuntimeHost("127.0.0.1:0", given(options));
const clusterOf = (options: object) => ({
  ...{ store: new cluster.MemoryCoordinationStore(), peerAddress: "127.0.0.1:0" },
  ...options,
});
const peerTransport = () => {
  const network = transport.createMemoryNetwork();
  return { dialer: network, listener: network, isMutual: false };
};
const runtimes = () => [newRuntime(), newWorker()] as const;
const bound = () => {
  const agent = new Reader("reads");
  agent.bindIdAndRuntime(id, newRuntime());
  return agent;
};
const onBoth = (act: (runtime: troupe.AgentRuntime) => unknown) =>
  runtimes().map((runtime) => () => act(runtime)) as readonly (() => unknown)[];

/** Everything that takes such options. What is not under test is right. */
const takers: Record<string, (options: never) => (() => unknown) | readonly (() => unknown)[]> = {
  SingleThreadedAgentRuntimeOptions: (options) => () => new SingleThreadedAgentRuntime(options),
  GrpcWorkerAgentRuntimeOptions: (options) => () => newWorker(options),
  WorkerRuntimeOptions: (options: object) => () =>
    new worker.WorkerRuntime(given({ dialer: transport.createMemoryNetwork(), address: "127.0.0.1:1", ...options })),
  GuardOptions: (options) => () => newWorker({ guards: options }),
  CallGuardOptions: (options) => () => newWorker({ guards: { calls: options } }),
  EventGuardOptions: (options) => () => newWorker({ guards: { events: options } }),
  ReconnectOptions: (options) => () => newWorker({ reconnect: options }),
  WhileDisconnectedOptions: (options) => () => newWorker({ whileDisconnected: options }),
  GrpcWorkerAgentRuntimeHostOptions: (options) => () => newHost(options),
  HostOptions: (options) => [
    () => new host.HostServicer(options),
    () => new host.Host({ listener: transport.createMemoryNetwork(), address: "127.0.0.1:0" }, options),
    () => new grpc.GrpcWorkerAgentRuntimeHostServicer(options),
  ],
  HostParts: (parts: object) => () =>
    new host.Host({ listener: transport.createMemoryNetwork(), address: "127.0.0.1:0", ...parts }),
  HostStartOptions: (options) => () => newHost().start(options),
  HostStopOptions: (options) => () => newHost().stop(options),
  InspectOptions: (options) => () => newHost().inspect(options),
  DrainWorkerOptions: (options) => () => newHost().drainWorker("w1", options),
  HostStopWhenSignalOptions: (options) => () => newHost().stopWhenSignal(options),
  StopWhenSignalOptions: (options) => () => newWorker().stopWhenSignal(options),
  GrpcDialerOptions: (options) => [() => transport.grpcDialer(options), () => newWorker({ channelOptions: options })],
  GrpcListenerOptions: (options) => [() => transport.grpcListener(options), () => newHost({ channelOptions: options })],
  TokenAuthenticatorOptions: (options) => () => security.tokenAuthenticator(options),
  CertificateAuthenticatorOptions: (options) => () => security.certificateAuthenticator(options),
  OpenAccessRulesOptions: (options) => () => security.openAccessRules(options),
  OpenQuotaRulesOptions: (options) => () => security.openQuotaRules(options),
  JwtAuthenticatorOptions: (options) => () => jwt.jwtAuthenticator(options),
  MemoryNetworkOptions: (options) => () => transport.createMemoryNetwork(options),
  MemoryStateStoreOptions: (options) => () => new storage.MemoryStateStore(options),
  MemoryCoordinationStoreOptions: (options) => () => new cluster.MemoryCoordinationStore(options),
  NatsStoreOptions: (options) => () => nats.openNatsStore("nats://127.0.0.1:1", options),
  NatsLogOptions: (options) => () => nats.openNatsLog("nats://127.0.0.1:1", options),
  GrpcClusterOptions: (options) => () => newHost({ cluster: clusterOf(options) }),
  HostClusterOptions: (options) => () =>
    new host.HostServicer(given({ cluster: { transport: peerTransport(), ...clusterOf(options) } })),
  NatsTlsOptions: (options) => () => nats.openNatsStore("nats://127.0.0.1:1", { tls: options }),
  OpenStoreOptions: (options) => () => new storage.MemoryStateStore().open(options),
  PostgresStoreOptions: (options) => () => postgres.openPostgresStore("postgres://127.0.0.1:1/none", options),
  SqliteStoreOptions: (options) => () => sqlite.openSqliteStore(":memory:", options),
  ProtobufMessageOptions: (options) => () => protobuf.protobufMessage(AnySchema, options),
  ClassMessageOptions: (options) => () => troupe.classMessage("Old", class Old {}, options),
  DefineMessageOptions: (options) => () => defineMessage("Other", z.object({}), options),
  DefineStateOptions: (options: object) => () => troupe.defineState(z.object({}), given({ initial: {}, ...options })),
  HandlerOptions: (options) => [
    () => handlerTable().rpc(Note, () => undefined, options),
    () => handlerTable().event(Note, () => undefined, options),
    () => handlerTable().message(Note, () => undefined, options),
    () => troupe.rpc(Note, options),
    () => troupe.event(Note, options),
    () => troupe.messageHandler(Note, options),
  ],
  SendOptions: (options) => [
    ...onBoth((runtime) => runtime.sendMessage(note, id, options)),
    () => new troupe.AgentProxy(id, newRuntime()).sendMessage(note, options),
  ],
  MessageStreamOptions: (options) => [
    ...onBoth((runtime) => runtime.stream(note, id, options)),
    () => new troupe.AgentProxy(id, newRuntime()).stream(note, options),
  ],
  PublishOptions: (options) => [...onBoth((runtime) => runtime.publishMessage(note, topic, options))],
  StartRunOptions: (options) => onBoth((runtime) => runtime.startRun(note, id, options)),
  AttachRunOptions: (options) => onBoth((runtime) => runtime.attachRun(id, "run-1", options)),
  ListRunsOptions: (options) => onBoth((runtime) => runtime.listRuns(id, options)),
  ReadRunOptions: (options) => onBoth((runtime) => runtime.attachRun(id, "run-1").read(options)),
  RunAnswerOptions: (options) => onBoth((runtime) => runtime.attachRun(id, "run-1").answer(options)),
  RunsOptions: (options) => [
    () => new SingleThreadedAgentRuntime({ runs: options }),
    () => newWorker({ runs: options }),
  ],
  TellOptions: (options) => onBoth((runtime) => runtime.tell(note, id, options)),
  ReminderOptions: (options) => () => bound().remindMe("later", { after: "1m" }, note, options),
  RetryOptions: (options) => () => new SingleThreadedAgentRuntime({ retry: options }),
  RegisterFactoryOptions: (options) => onBoth((runtime) => runtime.registerFactory("reader", () => bound(), options)),
  RegisterAgentInstanceOptions: (options) =>
    onBoth((runtime) => runtime.registerAgentInstance(new Reader("reads"), id, options)),
  RegisterOptions: (options) =>
    onBoth((runtime) => Reader.register(runtime, "reader", () => new Reader("reads"), options)),
  RegisterInstanceOptions: (options) => onBoth((runtime) => new Reader("reads").registerInstance(runtime, id, options)),
  RegisterClosureOptions: (options) =>
    onBoth((runtime) => troupe.ClosureAgent.registerClosure(runtime, "closure", () => undefined, options)),
  ClosureAgentOptions: (options) => () =>
    new troupe.ClosureAgent({ id, runtime: newRuntime() }, () => undefined, options),
  PrincipalOptions: (options) => onBoth((runtime) => runtime.registerFactory("porter", () => bound(), options)),
  LifeOptions: (options) => onBoth((runtime) => runtime.registerFactory("life", () => bound(), options)),
  AgentTimerOptions: (options) => () => bound().startTimer(1, Note({ text: "tick" }), options),
  TurnOptions: (options) => onBoth((runtime) => runtime.registerFactory("turns", () => bound(), options)),
  SharingOptions: (options) => onBoth((runtime) => runtime.registerFactory("shared", () => bound(), options)),
  SubscriptionOptions: (options) => [
    () => new troupe.TypeSubscription("news", "reader", options),
    () => new troupe.TypePrefixSubscription("news", "reader", options),
    () => new troupe.DefaultSubscription("news", "reader", options),
  ],
  GetOptions: (options) => onBoth((runtime) => runtime.get(id, undefined, options)),
  WaitOptions: (options) => [
    ...onBoth((runtime) => runtime.start(options)),
    ...onBoth((runtime) => runtime.stop(options)),
    ...onBoth((runtime) => runtime.tryGetUnderlyingAgentInstance(id, undefined, options)),
    ...onBoth((runtime) => runtime.addSubscription(new troupe.TypeSubscription("news", "reader"), options)),
    ...onBoth((runtime) => runtime.removeSubscription("1", options)),
    ...onBoth((runtime) => runtime.agentMetadata(id, options)),
    ...onBoth((runtime) => runtime.deactivateAgent(id, options)),
    ...onBoth((runtime) => runtime.destroyAgent(id, options)),
    ...onBoth((runtime) => runtime.agentSaveState(id, options)),
    ...onBoth((runtime) => runtime.agentLoadState(id, {}, options)),
    ...onBoth((runtime) => runtime.saveState(options)),
    ...onBoth((runtime) => runtime.loadState({}, options)),
    () => newRuntime().processNext(options),
    () => newRuntime().stopWhenIdle(options),
    () => newRuntime().stopWhen(() => true, options),
    () => new troupe.AgentProxy(id, newRuntime()).saveState(options),
    () => new troupe.AgentProxy(id, newRuntime()).loadState({}, options),
  ],
  AgentToolOptions: (options: object) => () =>
    ai.agentTool(Note, given({ to: "reader", description: "Reads notes", ...options })),
  RecordedModelOptions: (options: object) => () =>
    aiTesting.recordedModel(aiTesting.scriptedModel([]), { file: "recording.jsonl", ...options }),
  ThinkingOptions: (options: object) => [
    () => new ai.AiAgent(given({ model: aiTesting.scriptedModel([]), ...options })),
    () => new ai.AiAgent(given({ agent: { version: "agent-v1", tools: {}, stream: () => undefined }, ...options })),
  ],
  HistoryOptions: (options) => () => new ai.AiAgent({ model: aiTesting.scriptedModel([]), history: options }),
  ToolAgentCallerLoopOptions: (options: object) => () =>
    troupe.toolAgentCallerLoop(newRuntime(), {
      toolAgentId: id,
      modelClient: { create: async () => ({ content: "done" }) },
      inputMessages: [],
      tools: [],
      ...options,
    }),
  ParticipantOptions: (options) => () => teams.participant("writer", "writes", options),
  HandoffOptions: (options) => () => teams.handoffs(options),
  SelectorOptions: (options) => () => teams.selector(() => "writer", options),
  MentionOptions: (options) => () => teams.mention("END", options),
  TeamOptions: (options: object) => () =>
    new teams.Team(
      given({ participants: [teams.participant("writer", "writes")], next: teams.roundRobin(), ...options }),
    ),
  ConsoleLoggerOptions: (options) => () => telemetry.consoleLogger(options),
  JsonMessageLogOptions: (options) => () => telemetry.jsonMessageLog(() => undefined, options),
  ModelRecordOptions: (options: object) => () => telemetry.llmStreamStartEvent({ messages: [], ...options }),
  OpenTelemetryTracingOptions: (options) => () => otel.openTelemetryTracing(options),
  OpenTelemetryMetricsOptions: (options) => () => otel.openTelemetryMetrics(options),
  OpenTelemetryHostTracingOptions: (options) => () => otel.openTelemetryHostTracing(options),
  ToolSpanOptions: (options) => () => otel.traceToolSpan("weather", options, () => 0),
  AgentSpanOptions: (options) => [
    () => otel.traceCreateAgentSpan("writer", options, () => 0),
    () => otel.traceInvokeAgentSpan("writer", options, () => 0),
  ],
  MemoryAccountantOptions: (options) => () => transport.createMemoryAccountant(options as object),
  GatewayOptions: (options) => () => web.createGateway(newRuntime(), options),
  GatewayLimitOptions: (options) => () => web.createGateway(newRuntime(), { limits: options }),
  TestHostOptions: (options) => () => testing.startTestHost(options),
  FaultProxyOptions: (options: object) => () => testing.startFaultProxy({ target: "127.0.0.1:1", ...options }),
  RandomFaultsOptions: (options) => () => testing.randomFaults(1, 0, options),
  SimulationOptions: (options: object) => () => new testing.Simulation({ seed: 1, ...options }),
  SimulatedStateStoreOptions: (options: object) => () => {
    const { clock, dice } = new testing.Simulation({ seed: 1 });
    return new testing.SimulatedStateStore({ clock, dice, ...options });
  },
  SimulatedCoordinationOptions: (options: object) => () => {
    const { clock, dice } = new testing.Simulation({ seed: 1 });
    return new testing.SimulatedCoordination({ clock, dice, ...options });
  },
  ProcessClockOptions: (options) => () => new testing.ProcessClock(new testing.ManualClock(), options),
  SimulatedLineOptions: (options: object) => () => {
    const simulation = new testing.Simulation({ seed: 1 });
    return new testing.SimulatedLine({ clock: simulation.clock, dice: simulation.dice, ...options });
  },
};

/** Options objects that nothing takes by themselves, with the reason. */
const takenByNothing: Record<string, string> = {
  TlsFileOptions: "stands among the options of node:tls",
  RuntimeOptions: "part of the options of each runtime",
  ...Object.fromEntries(
    ["Options", "CallOptions", "RunOptions", "SignalOptions", "SubscribeOptions"].map((name) => [
      `Client${name}`,
      "pages load the client, which leaves checks to the compiler",
    ]),
  ),
  WorkerOptions: "part of the options of each worker",
  MailBoundOptions: "part of the options of each store",
  MessageLimitOptions: "part of the options of each transport",
  ConnectionLimitOptions: "part of the options of both ends of gRPC",
  GenAiSpanOptions: "part of the options of each span",
  LastingFaultOptions: "fields of a fault",
  CompletionOptions: "Troupe gives them to a user's model client",
  ToolRunOptions: "Troupe gives them to a user's tool",
  TimerOptions: "Troupe gives them to a user's clock",
  LinkNetworkOptions: "a suite gives them to a user's network",
  TestedCoordinationOptions: "a suite gives them to a user's store",
  ReadOptions: "a cluster gives them to a store",
  TakeOptions: "a host gives them to a user's log",
  TestedLogOptions: "a suite gives them to a user's log",
  TestedStoreOptions: "a suite gives them to a user's store",
  StreamOptions: "a worker gives them to a user's link",
  UnaryOptions: "a worker gives them to a user's link",
  AccountOptions: "a listener of Troupe's or a user's gives them for each connection",
  SiblingOptions: "a host gives them for each client",
  ListenOptions: "a host gives them to a user's listener",
  SimulatedProcessParts: "`Simulation.process` gives them",
  TroupeErrorOptions: "an error must not fail while it is made",
  UndeliverableOptions: "an error must not fail while it is made",
  HandlerErrorOptions: "an error must not fail while it is made",
  RpcErrorOptions: "an error must not fail while it is made",
};

function actsOf(name: string, options: unknown): readonly (() => unknown)[] {
  const acts = takers[name]?.(given(options)) ?? [];
  return typeof acts === "function" ? [acts] : acts;
}

/** The code and the text with which it fails. */
async function failureOf(act: () => unknown): Promise<{ readonly code: unknown; readonly message: string }> {
  try {
    await act();
  } catch (error) {
    if (error instanceof troupe.TroupeError) return { code: error.code, message: error.message };
    return { code: "raw error", message: String(error) };
  }
  return { code: "accepted", message: "" };
}

/** A value of a kind that the option does not have. */
function wrongFor({ type }: PublicOption): unknown {
  return /\bstring\b/.test(type) ? 5 : "5";
}

describe("every public options object", () => {
  const documented = publicOptions();

  test("is in the table of this test, or there is a reason", () => {
    expect(documented.length).toBeGreaterThan(50);
    const known = [...Object.keys(takers), ...Object.keys(takenByNothing)].sort();
    expect(known).toEqual(documented.map(({ name }) => name).sort());
  });

  const options = documented
    .filter(({ name }) => name in takers)
    .flatMap(({ name, options: all }) => all.map((option) => ({ taker: name, name: option.name, option })));

  test.each(options)("$taker refuses a $name of a wrong kind, and names it", async ({ taker, name, option }) => {
    for (const wrong of [wrongFor(option), Symbol("wrong")]) {
      const acts = actsOf(taker, { [name]: wrong });
      expect(acts.length).toBeGreaterThan(0);
      for (const act of acts) {
        const { code, message } = await failureOf(act);
        expect({ code, message }).toEqual({ code: "invalid-argument", message: expect.stringContaining(name) });
      }
    }
  });

  test.each(options)("$taker refuses a misspelt $name, and says what is meant", async ({ taker, name }) => {
    const misspelt = name.length > 4 ? name.slice(0, 1) + name.slice(2) : `${name}s`;
    for (const act of actsOf(taker, { [misspelt]: undefined })) {
      const { code, message } = await failureOf(act);
      expect({ code, message }).toEqual({
        code: "invalid-argument",
        message: expect.stringContaining(`Did you mean ${name}?`),
      });
    }
  });
});

test("a test host is taken as the options of a worker", async () => {
  await using test = await testing.startTestHost();
  expect(new worker.WorkerRuntime(test).isRunning).toBe(false);
});

const modules: Record<string, object> = {
  ...{
    troupe,
    "troupe/ai": ai,
    "troupe/ai/testing": aiTesting,
    "troupe/client": client,
    "troupe/cluster": cluster,
    "troupe/grpc": grpc,
    "troupe/host": host,
    "troupe/protobuf": protobuf,
    "troupe/storage": storage,
  },
  ...{ "troupe/storage/postgres": postgres, "troupe/storage/sqlite": sqlite },
  ...{ "troupe/telemetry": telemetry, "troupe/telemetry/otel": otel, "troupe/testing": testing },
  ...{
    "troupe/nats": nats,
    "troupe/teams": teams,
    "troupe/transport": transport,
    "troupe/web": web,
    "troupe/worker": worker,
  },
};

/** Functions and classes whose first argument is not checked, with the reason. */
const unchecked: Record<string, string> = {
  "new RpcError": "an error must not fail while it is made",
  "TroupeError.from": "it takes anything that was thrown",
  createClient: "pages load it, and leave checks to the compiler",
  compareEpochs: "a store calls it with each commit",
  "new SimulatedProcess": "`Simulation.process` makes it",
  "new FaultProxy": "`startFaultProxy` makes it",
};

describe("every public function and class", () => {
  const all = publicCallables()
    // Codecs of frames: a worker's and a host's hot paths, which check bytes and not kinds.
    .filter(({ entryPoint }) => entryPoint !== "troupe/protocol")
    // A class of which users get the type alone can't be called.
    .filter(({ entryPoint, name }) =>
      Reflect.has(modules[entryPoint] ?? {}, name.replace("new ", "").split(".")[0] ?? ""),
    )
    .filter(({ name }) => !(name in unchecked) && !/^new \w+(Error|Exception)$/.test(name));

  test("is seen", () => {
    expect(all.length).toBeGreaterThan(35);
  });

  test.each(all)("$entryPoint: $name refuses a call without arguments", async ({ entryPoint, name }) => {
    const [owner = "", method] = name.replace("new ", "").split(".");
    const target = Reflect.get(modules[entryPoint] ?? {}, owner) as { new (): object; (): unknown };
    const act = () => {
      if (name.startsWith("new ")) return new target();
      return method === undefined ? target() : (Reflect.get(target, method) as () => unknown).call(target);
    };
    // AutoGen's own error: such an agent is made outside a runtime.
    const code = name === "new ClosureAgent" ? "wrong-state" : "invalid-argument";
    expect(await failureOf(act)).toMatchObject({ code });
  });
});

describe("every method of a runtime", () => {
  const page = readFileSync(new URL("../../docs/api/troupe.md", import.meta.url), "utf8");
  const body = /^interface AgentRuntime [^\n]*\{\n([\s\S]*?)^\}/m.exec(page)?.[1] ?? "";
  const methods = [...new Set([...body.matchAll(/^ {2}(\w+)(?:<[^\n]*?>)?\((\w+): /gm)].map(([, name = ""]) => name))];

  test("is seen", () => {
    expect(methods.length).toBeGreaterThan(10);
  });

  test.each(methods)("%s refuses a call without arguments", async (method) => {
    for (const runtime of runtimes()) {
      const act = () => (Reflect.get(runtime, method) as () => unknown).call(runtime);
      expect(await failureOf(act)).toMatchObject({ code: "invalid-argument" });
    }
  });
});
