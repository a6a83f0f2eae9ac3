import { expect, test } from "vitest";
import { AgentId, type AgentState } from "../../../src/core/index.ts";
import {
  type GrpcWorkerAgentRuntime,
  GrpcWorkerAgentRuntimeHost,
  type GrpcWorkerAgentRuntimeOptions,
} from "../../../src/grpc/index.ts";
import { Gate } from "../../support/gate.ts";
import { GoAwayProxy } from "../../support/goaway-proxy.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { newMovingWorker } from "../../support/worker/moving-worker.ts";

const message = MyMessage({ content: "q" });
const still = new AgentId("still", "k");
const agent = () => new FunctionAgent();

test("a state request under way at a GOAWAY gets its answer, on either side", async () => {
  const logger = new RecordingLogger();
  await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
  await host.start();
  await using proxy = await new GoAwayProxy(host.address).listen();
  await using asking = newMovingWorker(proxy.address);
  await using asked = newMovingWorker(proxy.address, { controlChannel: "at-start" });
  const [begun, release] = [new Gate(), new Gate()];
  class SlowAgent extends FunctionAgent {
    override async saveState(): Promise<AgentState> {
      begun.open();
      await release.opened;
      return { is: "saved" };
    }
  }
  await asked.registerFactory("slow", () => new SlowAgent());
  for (const worker of [asking, asked]) await worker.start();
  const before = await Promise.all([asking, asked].map(clientIdOf));
  const state = asking.agentSaveState(new AgentId("slow", "k"));
  await begun.opened;
  for (const connection of proxy.takingStreams) connection.goAway("taken");
  for (const [place, worker] of [asking, asked].entries())
    for await (const status of worker.status())
      if (status.at === "connected" && status.clientId !== before[place]) break;
  // It waits for the registrations on the new connection, if the worker has left the old one.
  await asked.registerFactory("end", agent);
  release.open();
  expect(await state).toEqual({ is: "saved" });
});

/** A worker behind a proxy that sends GOAWAYs. The test does `act` as soon as the worker's log says `moment`. */
async function openBehindProxy(
  host: GrpcWorkerAgentRuntimeHost,
  options: GrpcWorkerAgentRuntimeOptions,
  moment: string,
  act: (worker: GrpcWorkerAgentRuntime, proxy: GoAwayProxy) => void,
) {
  const proxy = await new GoAwayProxy(host.address).listen();
  const info = (text: string) => {
    if (text.includes(moment)) act(worker, proxy);
  };
  const logger = Object.assign(new RecordingLogger(), { info });
  const worker = newMovingWorker(proxy.address, { ...options, logger });
  const dispose = async () => {
    await worker.stop();
    await proxy[Symbol.asyncDispose]();
  };
  return { proxy, worker, [Symbol.asyncDispose]: dispose };
}

async function openHostWithAgent(logger: RecordingLogger) {
  const host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { logger });
  await host.start();
  const still = newMovingWorker(host.address, { controlChannel: "at-start" });
  await still.registerFactory("still", () => Object.assign(new FunctionAgent(), { state: { is: "here" } }));
  await still.start();
  const dispose = async () => {
    await still.stop();
    await host.stop();
  };
  return { host, still, [Symbol.asyncDispose]: dispose };
}

for (const late of ["taken", "turned away"] as const)
  test(`a state request that begins while a link leaves gets its answer (late streams are ${late})`, async () => {
    await using world = await openHostWithAgent(new RecordingLogger());
    const begun = new Gate<{ readonly state: Promise<AgentState> }>();
    await using behind = await openBehindProxy(world.host, {}, "is leaving", (worker) =>
      begun.open({ state: worker.agentSaveState(still) }),
    );
    await behind.worker.start();
    behind.proxy.takingStreams[0]?.goAway(late);
    expect(await (await begun.opened).state).toEqual({ is: "here" });
  });

test("a state request on a new stream that a GOAWAY turned away gets its answer over the next link", async () => {
  await using world = await openHostWithAgent(new RecordingLogger());
  await using proxy = await new GoAwayProxy(world.host.address).listen();
  await using worker = newMovingWorker(proxy.address);
  await worker.start();
  proxy.takingStreams[0]?.goAway("turned away");
  expect(await worker.agentSaveState(still)).toEqual({ is: "here" });
});

test("state requests beyond maxOutboxBytes on a stream that was turned away fail at once, and do not wait for their time limit", async () => {
  await using world = await openHostWithAgent(new RecordingLogger());
  await using proxy = await new GoAwayProxy(world.host.address).listen();
  await using worker = newMovingWorker(proxy.address, { maxOutboxBytes: 1, controlTimeoutMs: 1_000_000 });
  await worker.start();
  proxy.takingStreams[0]?.goAway("turned away");
  const outcomes = await Promise.allSettled([1, 2, 3].map(() => worker.agentSaveState(still)));
  expect(outcomes[0]).toEqual({ status: "fulfilled", value: { is: "here" } });
  for (const outcome of outcomes.slice(1)) {
    expect(outcome).toMatchObject({
      status: "rejected",
      reason: { code: "disconnected", message: expect.stringContaining("Send it again") },
    });
  }
});

test("the state of agents can be asked for after two GOAWAYs, the second while their worker registers anew", async () => {
  await using world = await openHostWithAgent(new RecordingLogger());
  const [release, moved] = [new Gate(), new Gate()];
  await world.still.registerFactory("slow", () => new FunctionAgent(() => release.opened));
  let renewals = 0;
  let pending: Promise<unknown> | undefined;
  const options = { controlChannel: "at-start" } as const;
  await using behind = await openBehindProxy(world.host, options, "go over a new connection", (worker, proxy) => {
    renewals += 1;
    if (renewals === 2) moved.open();
    // The call keeps the second connection, under whose client id the worker registers.
    pending ??= worker.sendMessage(message, new AgentId("slow", "k"));
    if (renewals === 1) proxy.takingStreams.at(-1)?.goAway("turned away");
  });
  const { worker, proxy } = behind;
  await worker.registerFactory("moved", () => Object.assign(new FunctionAgent(), { state: { is: "there" } }));
  await worker.start();
  proxy.takingStreams[0]?.goAway("taken");
  await moved.opened;
  await worker.registerFactory("end", agent);
  expect(await world.still.agentSaveState(new AgentId("moved", "k"))).toEqual({ is: "there" });
  release.open();
  await pending;
});

async function clientIdOf(worker: GrpcWorkerAgentRuntime): Promise<string> {
  for await (const status of worker.status()) if (status.at === "connected") return status.clientId;
  throw new Error("the worker is not connected");
}
