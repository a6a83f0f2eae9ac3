import { expect, test } from "vitest";
import { AgentId, TypeSubscription } from "../../../src/core/index.ts";
import { method } from "../../../src/protocol/index.ts";
import { RpcError, StatusCode } from "../../../src/transport/index.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import type { ScriptedHost } from "../../support/worker/scripted-host.ts";
import { openStage, settled, until } from "../../support/worker/stage.ts";

/** Makes another worker serve every type, until the returned function runs. */
function takeTypes(host: ScriptedHost): () => void {
  const { script } = host;
  host.script = (call) => {
    if (call.method !== method.registerAgent) return script(call);
    throw new RpcError(StatusCode.alreadyExists, "Agent type writer already registered with client z");
  };
  return () => {
    host.script = script;
  };
}

const subscriptions = [new TypeSubscription("drafts", "writer")];

test("a worker starts without a type whose registration was called off before the start", async () => {
  await using stage = await openStage();
  const { host, worker } = stage;
  takeTypes(host);
  const calling = new AbortController();
  const { signal } = calling;
  await worker.registerFactory("writer", () => new FunctionAgent(), { whenTaken: "wait", signal, subscriptions });
  calling.abort();
  await worker.start();
  await until(worker, "connected");
  expect(host.methods).not.toContain(method.registerAgent);
  expect(host.methods).not.toContain(method.addSubscription);
});

test("a registration that is called off while the start waits for its type fails that start and no later one", async () => {
  await using stage = await openStage();
  const { host, worker } = stage;
  const free = takeTypes(host);
  const calling = new AbortController();
  const { signal } = calling;
  await worker.registerFactory("writer", () => new FunctionAgent(), { whenTaken: "wait", signal, subscriptions });
  const started = expect(worker.start()).rejects.toMatchObject({ code: "cancelled" });
  while (!host.methods.includes(method.registerAgent)) await settled();
  calling.abort();
  await started;
  await worker.start();
  free();
  await worker.registerFactory("writer", () => new FunctionAgent(), { subscriptions });
  expect(await worker.tryGetUnderlyingAgentInstance(new AgentId("writer", "k"))).toBeInstanceOf(FunctionAgent);
});

test("a registration that waits for a type ends with the stop, and does not reach into the next run", async () => {
  await using stage = await openStage();
  const { host, worker, clock } = stage;
  const free = takeTypes(host);
  await worker.start();
  const registered = worker.registerFactory("writer", () => new FunctionAgent(), { whenTaken: "wait" });
  const ended = expect(registered).rejects.toMatchObject({ code: "shutting-down" });
  while (!host.logger.texts("info").some((text) => text.includes("waits until agent type writer is free")))
    await settled();
  await worker.stop();
  free();
  await worker.start();
  clock.advance(1_000);
  await ended;
  expect(host.methods.filter((name) => name === method.registerAgent)).toHaveLength(1);
});
