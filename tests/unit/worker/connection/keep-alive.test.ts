import { expect, test } from "vitest";
import { ManualClock } from "../../../../src/testing/index.ts";
import { type Link, RpcError, StatusCode } from "../../../../src/transport/index.ts";
import { KeepAlive } from "../../../../src/worker/connection/keep-alive.ts";

/** The host knows no heartbeats. */
const byCall = { askInChannel: () => false, isChannelRead: () => true, receivedBytes: () => 0 };

/** A keep-alive that asks after 1 s of silence and waits 500 ms for an answer, on a link that never answers. */
function askInVain(isInDoubt = () => false) {
  const clock = new ManualClock();
  const deaths: string[] = [];
  let asked = 0;
  const link: Pick<Link, "unary"> = {
    unary: (_method, _request, options) => {
      asked += 1;
      return new Promise((_resolve, reject) => {
        options?.signal?.addEventListener("abort", () => reject(new Error("called off")));
      });
    },
  };
  const onDead = (reason: string) => deaths.push(reason);
  const keepAlive = new KeepAlive({
    ...{ link: link as Link, metadata: {}, clock, afterMs: 1_000, timeoutMs: 500 },
    ...{ isInDoubt, isLinkLeaving: () => false, ...byCall, onAnswer: () => {}, onDead },
  });
  return { clock, deaths, keepAlive, asked: () => asked };
}

test("a host that says nothing at all counts as lost", () => {
  const { clock, deaths } = askInVain();
  clock.advance(1_499);
  expect(deaths).toEqual([]);
  clock.advance(1);
  expect(deaths).toEqual(["it gave no sign of life within 500 ms."]);
  expect(clock.pendingTimers).toBe(0);
});

test("a host whose messages come while its sign of life does not is not lost", () => {
  const { clock, deaths, keepAlive } = askInVain();
  clock.advance(1_200);
  keepAlive.heard();
  clock.advance(300);
  expect(deaths).toEqual([]);
  // It is asked again when it has been silent for as long again: at 2 200 ms.
  clock.advance(1_199);
  expect(deaths).toEqual([]);
  clock.advance(1);
  expect(deaths).toHaveLength(1);
});

test("a host that talks is asked all the same while it is in doubt whether it has what it was sent", () => {
  let isInDoubt = false;
  const { clock, keepAlive, asked } = askInVain(() => isInDoubt);
  clock.advance(900);
  keepAlive.heard();
  clock.advance(100);
  expect(asked()).toBe(0);
  isInDoubt = true;
  clock.advance(900);
  expect(asked()).toBe(1);
});

test("a host is not lost when its link takes no new calls, since the question can't leave", async () => {
  const clock = new ManualClock();
  const deaths: string[] = [];
  let asked = 0;
  const unary = async () => {
    asked += 1;
    throw new RpcError(StatusCode.unavailable, "The link takes no calls.", { origin: "local" });
  };
  const keepAlive = new KeepAlive({
    ...{ link: { unary }, metadata: {}, clock, afterMs: 1_000, timeoutMs: 500 },
    ...{ isInDoubt: () => false, isLinkLeaving: () => true, ...byCall, onAnswer: () => {} },
    onDead: (reason) => deaths.push(reason),
  });
  for (let second = 0; second < 5; second += 1) {
    clock.advance(1_000);
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(asked).toBe(5);
  expect(deaths).toEqual([]);
  keepAlive.stop();
  expect(clock.pendingTimers).toBe(0);
});

test("a host that was asked inside the channel is asked again by a call, if the worker has stopped reading the channel since", () => {
  const clock = new ManualClock();
  const deaths: string[] = [];
  let isRead = true;
  let [inChannel, byUnary] = [0, 0];
  const unary = async () => {
    byUnary += 1;
    throw new RpcError(StatusCode.unimplemented, "", { origin: "peer" });
  };
  const keepAlive = new KeepAlive({
    ...{ link: { unary }, metadata: {}, clock, afterMs: 1_000, timeoutMs: 500 },
    ...{ isInDoubt: () => false, isLinkLeaving: () => false, receivedBytes: () => 0, onAnswer: () => {} },
    askInChannel: () => {
      if (isRead) inChannel += 1;
      return isRead;
    },
    isChannelRead: () => isRead,
    onDead: (reason) => deaths.push(reason),
  });
  clock.advance(1_000);
  isRead = false;
  clock.advance(500);
  expect([inChannel, byUnary, deaths]).toEqual([1, 1, []]);
  keepAlive.stop();
  expect(clock.pendingTimers).toBe(0);
});

test("a host whose long message is under way for longer than the timeout is not lost", () => {
  const clock = new ManualClock();
  const deaths: string[] = [];
  let receivedBytes = 0;
  const keepAlive = new KeepAlive({
    ...{ link: { unary: () => new Promise<never>(() => {}) }, metadata: {}, clock, afterMs: 1_000, timeoutMs: 500 },
    ...{ isInDoubt: () => false, isLinkLeaving: () => false, receivedBytes: () => receivedBytes, onAnswer: () => {} },
    ...{ askInChannel: () => true, isChannelRead: () => true, onDead: (reason) => deaths.push(reason) },
  });
  for (let part = 0; part < 20; part += 1) {
    clock.advance(400);
    receivedBytes += 100;
  }
  expect(deaths).toEqual([]);
  clock.advance(2_000);
  expect(deaths).toHaveLength(1);
  keepAlive.stop();
});
