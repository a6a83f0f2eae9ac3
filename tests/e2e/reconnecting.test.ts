import { AgentId, defineMessage, handlerTable, RoutedAgent, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { startFaultProxy } from "troupe/testing";
import { describe, expect, test } from "vitest";
import * as z from "zod";
import { freePort } from "../support/free-ports.ts";
import { Inbox } from "../support/inbox.ts";
import { NodeProgram } from "../support/node-program.ts";
import { until } from "../support/worker/stage.ts";

const Answer = defineMessage("Answer", z.object({ text: z.string() }));
const Ask = defineMessage("Ask", z.object({ text: z.string() }), { answer: Answer });
const Note = defineMessage("Note", z.object({ text: z.string() }));

const heard = new Inbox<string>();

class Echo extends RoutedAgent {
  static override readonly handlers = handlerTable<Echo>()
    .rpc(Ask, ({ text }) => Answer({ text }))
    .event(Note, ({ text }) => heard.put(text));
}

async function startHost(address: string): Promise<NodeProgram> {
  const host = new NodeProgram("src/cli/main.ts", ["host", "--address", address, "--state", "memory:"]);
  await host.output(/127\.0\.0\.1/);
  return host;
}

async function startEcho(address: string | readonly string[], type: string): Promise<GrpcWorkerAgentRuntime> {
  const worker = new GrpcWorkerAgentRuntime(address, { logger: silent });
  await worker.start();
  await Echo.register(worker, type, () => new Echo("echoes"));
  await worker.addSubscription(new TypeSubscription("notes", type));
  return worker;
}

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

describe("a worker whose host is killed", () => {
  test("has an outcome for what was under way at once, keeps what it publishes, and goes on with the next host there [§8.101]", async () => {
    const address = `127.0.0.1:${await freePort()}`;
    await using first = await startHost(address);
    await using worker = await startEcho(address, "echo");
    const before = await worker.sendMessage(Ask({ text: "before" }), new AgentId("echo", "1"));
    expect(before.text).toBe("before");

    await first.stop("SIGKILL");
    await until(worker, "waiting");
    await worker.publishMessage(Note({ text: "while nobody was there" }), new TopicId("notes", "1"));
    await using _second = await startHost(address);
    expect(await heard.take()).toBe("while nobody was there");
    const after = await worker.sendMessage(Ask({ text: "after" }), new AgentId("echo", "1"));
    expect(after.text).toBe("after");
    expect(worker.counters().lostEvents).toBe(0);
  });
});

describe("a host that falls silent", () => {
  test("is noticed by its missing sign of life, and come back to when it speaks again", async () => {
    await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
    await host.start();
    await using network = await startFaultProxy({ target: host.address });
    const options = { logger: silent, keepAliveMs: 50, keepAliveTimeoutMs: 100 };
    await using worker = new GrpcWorkerAgentRuntime(network.address, options);
    await worker.start();
    const { clientId } = await until(worker, "connected");
    network.apply({ kind: "stall" });
    expect((await until(worker, "waiting")).reason).toContain("no sign of life");
    network.heal();
    expect((await until(worker, "connected")).clientId).not.toBe(clientId);
  });
});

describe("a host that is stopped", () => {
  test("is left by its workers for another, before it has ended", async () => {
    const hosts = [
      new GrpcWorkerAgentRuntimeHost("127.0.0.1:0"),
      new GrpcWorkerAgentRuntimeHost("127.0.0.1:0"),
    ] as const;
    for (const host of hosts) await host.start();
    const addresses = hosts.map((host) => host.address);
    await using one = await startEcho(addresses, "one");
    await using two = await startEcho(addresses, "two");
    await hosts[0].stop();
    for (const worker of [one, two]) expect((await until(worker, "connected")).address).toBe(hosts[1].address);
    const answer = await one.sendMessage(Ask({ text: "still there?" }), new AgentId("two", "1"));
    expect(answer.text).toBe("still there?");
    await hosts[1].stop();
  });

  test("and started again has its 20 workers back [§8.101]", async () => {
    const address = `127.0.0.1:${await freePort()}`;
    const first = new GrpcWorkerAgentRuntimeHost(address);
    await first.start();
    const workers = await Promise.all(Array.from({ length: 20 }, (_, index) => startEcho(address, `echo${index}`)));
    await first.stop(0);
    for (const worker of workers) await until(worker, "waiting");
    const second = new GrpcWorkerAgentRuntimeHost(address);
    await second.start();
    for (const worker of workers) await until(worker, "connected");
    expect(second.counters()).toMatchObject({ channels: 20, agentTypes: 20 });
    const asked = await workers[0]?.sendMessage(Ask({ text: "all back?" }), new AgentId("echo19", "1"));
    expect(asked?.text).toBe("all back?");
    await Promise.all(workers.map((worker) => worker.stop()));
    await second.stop();
  });
});
