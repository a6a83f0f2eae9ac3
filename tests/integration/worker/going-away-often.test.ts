import { expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import type { ManualClock } from "../../../src/testing/index.ts";
import { FakeDialer, type FakeLink, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { FunctionAgent } from "../../support/worker/function-agent.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { turns } from "../../support/worker/stage.ts";

const message = MyMessage({ content: "q" });

/** A proxy that tells each link at once to go away, after the worker has confirmed its connection. */
function goingAway(): FakeDialer {
  return new FakeDialer({
    unary: (link: FakeLink) => {
      if (link.number === 1 || link.unaryCount >= 2) setImmediate(() => link.goAway());
      return undefined;
    },
  });
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let step = 0; step < 100; step += 1) {
    clock.advance(ms / 100);
    await turns(5);
  }
}

test("a proxy that sends GOAWAY all the time makes a worker dial ever more rarely", async () => {
  const dialer = goingAway();
  await using stage = await openFakeStage(dialer, { reconnect: { initialDelayMs: 100, maxDelayMs: 10_000 } });
  await pass(stage.clock, 1_000);
  // At once, then after 100, 200 and 400 ms, at most.
  expect(dialer.links.length).toBeLessThanOrEqual(5);
  expect(dialer.openCount).toBeLessThanOrEqual(2);
});

test("a worker whose handler runs on does not keep the connections between its first and its last", async () => {
  const dialer = goingAway();
  await using stage = await openFakeStage(dialer, { reconnect: { initialDelayMs: 10, maxDelayMs: 10 } }, (worker) =>
    worker.registerFactory("a", () => new FunctionAgent(() => new Promise(() => {}))).then(() => {}),
  );
  const { clock, worker } = stage;
  worker.addMessageSerializer(MyMessage);
  const data = new TextEncoder().encode('{"content":""}');
  const payload = { typeName: "MyMessage", contentType: "application/json", data };
  const target = { type: "a", key: "k" };
  dialer.link(1).say({ ...{ kind: "request", requestId: "1", source: undefined, metadata: {} }, target, payload });
  await pass(clock, 10_000);
  expect(worker.handlers.running).toBe(1);
  expect(dialer.links.length).toBeGreaterThan(20);
  expect(dialer.link(1).isOpen).toBe(true);
  expect(dialer.openCount).toBeLessThanOrEqual(10);
});

test("calls on the oldest of too many leaving connections fail with disconnected, so that connections do not pile up", async () => {
  const dialer = goingAway();
  const reconnect = { initialDelayMs: 10, maxDelayMs: 10 };
  await using stage = await openFakeStage(dialer, { reconnect }, (worker) =>
    worker.registerFactory("a", () => new FunctionAgent()).then(() => {}),
  );
  const { clock, worker } = stage;
  const codes: unknown[] = [];
  for (let round = 0; round < 40; round += 1) {
    const call = worker.sendMessage(message, new AgentId("b", "k"));
    call.catch((error: { readonly code: string }) => codes.push(error.code));
    await pass(clock, 100);
  }
  expect(dialer.openCount).toBeLessThanOrEqual(11);
  expect(codes.length).toBeGreaterThan(20);
  expect(new Set(codes)).toEqual(new Set(["disconnected"]));
});
