import { describe, expect, it } from "vitest";
import * as z from "zod";
import { MemoryCoordinationStore } from "../../../../src/cluster/index.ts";
import { AgentId, defineMessage } from "../../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "../../../../src/grpc/index.ts";
import { Opened } from "../../../support/opened.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";
import { FunctionAgent } from "../../../support/worker/function-agent.ts";

const Go = defineMessage("Go", z.object({ hops: z.number() }));

/** Each host has one worker with one sequential type, `t0`, `t1`, …, whose agent calls the next one, and the last one the first, while there are hops. */
async function openCircle(count: number) {
  const opened = new Opened();
  const store = opened.use(new MemoryCoordinationStore());
  const runtimes: GrpcWorkerAgentRuntime[] = [];
  for (let at = 0; at < count; at += 1) {
    const cluster = { store, peerAddress: "127.0.0.1:0" };
    const host = opened.use(new GrpcWorkerAgentRuntimeHost("127.0.0.1:0", { cluster }));
    await host.start();
    const options = { logger: new RecordingLogger(), sequentialAgents: true, stuckAfterMs: 20 };
    const runtime = opened.use(new GrpcWorkerAgentRuntime(host.address, options));
    runtime.addMessageSerializer(Go);
    await runtime.start();
    const next = new AgentId(`t${(at + 1) % count}`, "k");
    await runtime.registerFactory(
      `t${at}`,
      () =>
        new FunctionAgent(async (message, context, agent) => {
          const { hops } = message as { readonly hops: number };
          if (hops === 0) return message;
          return await agent.runtime.sendMessage(Go({ hops: hops - 1 }), next, { signal: context.signal });
        }),
    );
    runtimes.push(runtime);
  }
  const [first] = runtimes;
  if (first === undefined) throw new Error("There is a host.");
  return { first, runtimes, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
}

describe("calls between sequential agents of several hosts", { timeout: 60_000 }, () => {
  it.each([2, 3])("come back to the agent that waits for them over %i hosts, and have their answers", async (count) => {
    await using circle = await openCircle(count);
    const hops = 3 * count;
    expect(await circle.first.sendMessage(Go({ hops }), new AgentId("t0", "k"))).toEqual(Go({ hops: 0 }));
  });

  it("have their answers when none waits for itself, however many wait for each agent", async () => {
    await using circle = await openCircle(3);
    const calls = circle.runtimes.flatMap((runtime) =>
      Array.from({ length: 30 }, () => runtime.sendMessage(Go({ hops: 2 }), new AgentId("t0", "k"))),
    );
    for (const answer of await Promise.all(calls)) expect(answer).toEqual(Go({ hops: 0 }));
  });
});
