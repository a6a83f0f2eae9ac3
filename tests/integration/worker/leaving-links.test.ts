import { expect, test } from "vitest";
import { AgentId } from "../../../src/core/index.ts";
import { timeoutOf } from "../../../src/protocol/internal.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { FakeDialer, openFakeStage } from "../../support/worker/fake-dialer.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { settled, until } from "../../support/worker/stage.ts";

const message = MyMessage({ content: "q" });

test("a call on a link that leaves gets its answer, although the host takes no new connection for a while", async () => {
  const dialer = new FakeDialer({
    ready: async ({ number }) => {
      if (number > 1) throw new Error("refused");
    },
  });
  await using stage = await openFakeStage(dialer, { keepAliveMs: 1_000, keepAliveTimeoutMs: 500 });
  const { worker, clock } = stage;
  const answered = expect(worker.sendMessage(message, new AgentId("b", "k"))).resolves.toBeUndefined();
  await settled();
  dialer.link(1).goAway();
  for (let step = 0; step < 50; step += 1) {
    await settled();
    clock.advance(100);
  }
  const [request] = dialer.link(1).sent;
  if (request?.kind !== "request") throw new Error("no request was sent");
  const { requestId } = request;
  dialer.link(1).say({ kind: "response", requestId, payload: undefined, error: "", metadata: {} });
  await answered;
});

test("a worker returns to a host after a minute at most, although the host says it leaves for days", async () => {
  const dialer = new FakeDialer();
  await using stage = await openFakeStage(dialer);
  const { worker, clock } = stage;
  await settled();
  dialer.link(1).say({ kind: "leaving", graceMs: 4_294_967_295 });
  expect(await until(worker, "waiting")).toMatchObject({ delayMs: 60_000 });
  await settled();
  clock.advance(60_000);
  await until(worker, "waiting");
  await settled();
  clock.advance(1_000);
  await until(worker, "connected");
  expect(dialer.links).toHaveLength(2);
});

test("a call that a host refused carries the time that is left when it leaves again", async () => {
  const dialer = new FakeDialer({ headers: undefined });
  await using stage = await openFakeStage(dialer);
  const { worker, clock } = stage;
  const end = expect(worker.sendMessage(message, new AgentId("b", "k"), { timeoutMs: 5_000 })).rejects.toMatchObject({
    code: "timed-out",
  });
  await settled();
  clock.advance(3_000);
  const status = { code: StatusCode.unauthenticated, details: "Who are you?" };
  dialer.link(1).end({ by: "status", status, origin: "peer" });
  await until(worker, "waiting");
  clock.advance(100);
  await until(worker, "connected");
  await settled();
  const times = [1, 2].map((number) => {
    const [request] = dialer.link(number).sent;
    return request?.kind === "request" ? timeoutOf(request.metadata) : undefined;
  });
  expect(times).toEqual([5_000, 1_900]);
  clock.advance(5_000);
  await end;
});
