import { expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { next, responseFrame } from "../../support/worker/frames.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { openStage, settled } from "../../support/worker/stage.ts";

const late = new AgentId("late", "k");
const text = "Agent type late not found.";
const notServed = { error: text, metadata: { agerrorcode: "undeliverable", agnothandled: "1" } };

test("a call that waits for its target is sent again under new ids, ever more seldom, with the time that is left", async () => {
  await using stage = await openStage();
  const { host, clock, worker } = stage;
  await worker.start();
  const channel = await host.channels.take();
  const call = worker.sendMessage(MyMessage({ content: "q" }), late, { waitForTarget: 5_000, timeoutMs: 10_000 });
  const ids = new Set<string>();
  const lefts: number[] = [];
  for (const delayMs of [25, 50, 100, 200]) {
    const { requestId, metadata } = await next(channel, "request");
    ids.add(requestId);
    lefts.push(Number(metadata.agtimeoutms));
    channel.send(responseFrame(requestId, notServed));
    await settled();
    expect(worker.pendingCallsCount).toBe(1);
    clock.advance(delayMs - 1);
    await settled();
    expect(channel.received.rest).toEqual([]);
    clock.advance(1);
  }
  expect(ids.size).toBe(4);
  expect(lefts).toEqual([10_000, 9_975, 9_925, 9_825]);
  const { requestId } = await next(channel, "request");
  channel.send(responseFrame(requestId, { error: "too tired" }));
  await expect(call).rejects.toThrow("too tired");
  expect(worker.pendingCallsCount).toBe(0);
});

const overQuota = (retryMs: number) => ({
  error: `This principal may send 4 messages in a second. Try again in ${retryMs} ms.`,
  metadata: { agerrorcode: "overloaded", agnothandled: "1", agretryms: String(retryMs) },
});

test("a call that waits for its target is not sent again before the time that a quota of the host names", async () => {
  await using stage = await openStage();
  const { host, clock, worker } = stage;
  await worker.start();
  const channel = await host.channels.take();
  const call = worker.sendMessage(MyMessage({ content: "q" }), late, { waitForTarget: 5_000 });
  channel.send(responseFrame((await next(channel, "request")).requestId, notServed));
  await settled();
  clock.advance(25);
  channel.send(responseFrame((await next(channel, "request")).requestId, overQuota(2_000)));
  await settled();
  clock.advance(1_999);
  await settled();
  expect(channel.received.rest).toEqual([]);
  clock.advance(1);
  // No time is left for this hint: the caller hears the refusal at once, and nothing is sent before its time.
  channel.send(responseFrame((await next(channel, "request")).requestId, overQuota(4_000)));
  await expect(call).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 4_000, notHandled: true });
  clock.advance(10_000);
  await settled();
  expect(channel.received.rest).toEqual([]);
});

test("a call that a quota refuses before it has waited for its target hears so at once", async () => {
  await using stage = await openStage();
  const { host, worker } = stage;
  await worker.start();
  const channel = await host.channels.take();
  const call = worker.sendMessage(MyMessage({ content: "q" }), late, { waitForTarget: 5_000 });
  channel.send(responseFrame((await next(channel, "request")).requestId, overQuota(100)));
  await expect(call).rejects.toMatchObject({ code: "overloaded", retryAfterMs: 100 });
});

test("a call that waits for its target ends with its worker at once", async () => {
  await using stage = await openStage();
  const { host, worker } = stage;
  await worker.start();
  const channel = await host.channels.take();
  const call = worker.sendMessage(MyMessage({ content: "q" }), late, { waitForTarget: 5_000 });
  const end = expect(call).rejects.toMatchObject({ name: "UndeliverableException", code: "shutting-down" });
  channel.send(responseFrame((await next(channel, "request")).requestId, notServed));
  await settled();
  const stopped = worker.stop();
  // The clock stands still meanwhile.
  await end;
  await stopped;
});

for (const { whose, metadata } of [
  { whose: "a stock worker's handler", metadata: {} },
  { whose: "a handler's own call", metadata: { agerrorcode: "undeliverable", agerrortype: "UndeliverableException" } },
])
  test(`a call that waits for its target is not sent again after a text of ${whose} that reads like a host's`, async () => {
    await using stage = await openStage();
    const { host, worker } = stage;
    await worker.start();
    const channel = await host.channels.take();
    const call = worker.sendMessage(MyMessage({ content: "q" }), late, { waitForTarget: 5_000 });
    channel.send(responseFrame((await next(channel, "request")).requestId, { error: text, metadata }));
    await expect(call).rejects.toThrow(text);
    expect(channel.received.rest).toEqual([]);
  });
