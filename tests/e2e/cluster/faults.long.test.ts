import { describe, expect, it } from "vitest";
import * as z from "zod";
import { AgentId, ClosureAgent, defineMessage } from "../../../src/core/index.ts";
import { GrpcWorkerAgentRuntime } from "../../../src/grpc/index.ts";
import { grpcDialer } from "../../../src/transport/index.ts";
import { ClusterPrograms } from "../../support/cluster-programs.ts";
import { status, statusOf } from "../../support/cluster-worker.ts";
import { natsAbsence } from "../../support/nats-server.ts";
import { NodeProgram } from "../../support/node-program.ts";
import { Opened } from "../../support/opened.ts";
import { RawWorker, textOf } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const Work = defineMessage("Work", z.object({ number: z.number() }));
const counting = new AgentId("counting", "k");
const absence = natsAbsence();
const reconnect = { initialDelayMs: 20, maxDelayMs: 200 };

/** Starts a worker in the test's own process. */
async function startWorker(opened: Opened, address: string | readonly string[]): Promise<GrpcWorkerAgentRuntime> {
  const runtime = new GrpcWorkerAgentRuntime(address, { logger: new RecordingLogger(), reconnect });
  runtime.addMessageSerializer(Work);
  await runtime.start();
  return opened.use(runtime);
}

/** Tries again until a call is answered; resolves to the number in the answer. */
async function answerOf(caller: GrpcWorkerAgentRuntime): Promise<number> {
  for (;;) {
    try {
      const answer = await caller.sendMessage(Work({ number: 0 }), counting, { waitForTarget: 30_000 });
      return (answer as { readonly number: number }).number;
    } catch {
      await nextTurn();
    }
  }
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function registerWhenFree(worker: RawWorker, agentType: string): Promise<void> {
  while ((await worker.register(agentType).catch((error: unknown) => error)) instanceof Error) await nextTurn();
}

describe.skipIf(absence)("hosts of a cluster as processes", { timeout: 120_000 }, () => {
  it("one is killed: its Troupe worker goes on at another with its agents, and is called there", async () => {
    await using opened = new Opened();
    const cluster = opened.use(await ClusterPrograms.start());
    const [one, two] = [await cluster.startHost(), await cluster.startHost()];
    const serving = await startWorker(opened, [one.address]);
    let count = 0;
    await ClosureAgent.registerClosure(serving, "counting", () => Work({ number: ++count }), { types: [Work] });
    const calling = await startWorker(opened, two.address);
    expect(await answerOf(calling)).toBe(1);
    one.program.signal("SIGKILL");
    await one.program.ended;
    expect(await answerOf(calling)).toBe(2);
  });

  it("a worker is killed: its calls fail as disconnected, and its type is free after its grace", async () => {
    await using opened = new Opened();
    const cluster = opened.use(await ClusterPrograms.start());
    const [one, two] = [await cluster.startHost(), await cluster.startHost()];
    const slow = opened.use(new NodeProgram("tests/e2e/programs/slow-worker.ts", [one.address]));
    await slow.output(/serving/);
    const agentType = "slow";
    const caller = await new RawWorker(grpcDialer().dial(two.address), "C").join();
    const successor = await new RawWorker(grpcDialer().dial(two.address), "S").join();
    await expect(successor.register(agentType)).rejects.toThrow("already registered");
    caller.request("1", `${agentType}/k`);
    slow.signal("SIGKILL");
    expect(await caller.nextResponse()).toMatchObject({ requestId: "1", error: expect.stringContaining(agentType) });
    await registerWhenFree(successor, agentType);
    caller.request("2", `${agentType}/k`);
    successor.respond((await successor.nextRequest()).requestId, "here");
    expect(textOf(await caller.nextResponse())).toBe("here");
  });

  it("NATS is killed and comes back: workers go on calling meanwhile, and others join after that", async () => {
    await using opened = new Opened();
    const cluster = opened.use(await ClusterPrograms.start());
    const [one, two] = [await cluster.startHost(), await cluster.startHost()];
    const serving = await startWorker(opened, one.address);
    let count = 0;
    await ClosureAgent.registerClosure(serving, "counting", () => Work({ number: ++count }), { types: [Work] });
    const calling = await startWorker(opened, two.address);
    expect(await answerOf(calling)).toBe(1);
    await cluster.nats.kill();
    for (let number = 2; number <= 20; number += 1) {
      expect(await calling.sendMessage(Work({ number: 0 }), counting)).toEqual(Work({ number }));
    }
    await cluster.nats.restart();
    const newcomer = await new RawWorker(grpcDialer().dial(two.address), "N").join();
    await registerWhenFree(newcomer, "late");
    const caller = await new RawWorker(grpcDialer().dial(one.address), "C").join();
    caller.request("1", "late/k");
    newcomer.respond((await newcomer.nextRequest()).requestId, "late");
    expect(textOf(await caller.nextResponse())).toBe("late");
    expect((await one.program.stop()).stderr).not.toContain("begins anew");
  });

  it("one is frozen beyond its lease: another worker serves its type, and the frozen host hands nothing over when it goes on", async () => {
    await using opened = new Opened();
    const cluster = opened.use(await ClusterPrograms.start());
    const flags = ["--lease-ms", "3000"];
    const [one, two] = [await cluster.startHost(...flags), await cluster.startHost(...flags)];
    const target = await new RawWorker(grpcDialer().dial(one.address), "T").join();
    await target.register("echo");
    const local = await new RawWorker(grpcDialer().dial(one.address), "L").join();
    const successor = await new RawWorker(grpcDialer().dial(two.address), "S").join();
    one.program.signal("SIGSTOP");
    await registerWhenFree(successor, "echo");
    local.request("1", "echo/k");
    one.program.signal("SIGCONT");
    expect(await statusOf(target)).toMatchObject({
      code: status.aborted,
      details: "Agent type echo already registered with client S.",
    });
    // The call that waited for the frozen host has not reached the worker which has lost the type.
    expect(await Promise.race([target.next(), nextTurn()])).toBeUndefined();
    let [answer, call] = [local.next(), successor.next()];
    for (let number = 2; ; number += 1) {
      const next = await Promise.race([answer, call]);
      if (next.kind === "request") {
        successor.respond(next.requestId, "there");
        call = successor.next();
      } else if (next.kind === "response") {
        if (next.error === "") return expect(textOf(next)).toBe("there");
        answer = local.next();
        local.request(String(number), "echo/k");
      }
    }
  });
});
