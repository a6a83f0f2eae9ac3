import { describe, expect, it } from "vitest";
import { nextTurn, type Timer } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { type ClusterHostRig, type ClusterRig, clusterTransports } from "../../../support/cluster-rig.ts";
import { connection } from "../../../support/cluster-worker.ts";
import { exact, RawWorker } from "../../../support/raw-worker.ts";

const count = 300;

/** Sends calls and events in turn, one in each turn of the event loop or some at once. */
async function sendAll(from: RawWorker, sent: (number: number) => void = () => undefined): Promise<void> {
  for (let number = 0; number < count; number += 1) {
    if (number % 2 === 0) from.request(`r${number}`, `writer/${from.clientId}-${number}`);
    else from.publish("news", "default", `${from.clientId}-${number}`);
    sent(number);
    if (number % 3 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Takes what comes on a channel: `<client id>-<number>` of each message. Ends with the notice `last`. */
async function take(from: RawWorker, came: string[], isAll: () => boolean): Promise<void> {
  while (!isAll()) {
    const frame = await from.next();
    if (frame.kind === "last") return;
    if (frame.kind === "request") came.push(frame.target?.key ?? "");
    else if (frame.kind === "event") came.push(frame.event.id);
  }
}

/** A worker moves from the first host to the second one in the middle of what senders at all hosts send. */
async function moveUnder(rig: ClusterRig): Promise<ReadonlyMap<string, readonly number[]>> {
  const first = await connection(rig.one, { workerId: "w", session: 1 }).join();
  await first.register("writer");
  await first.subscribe("s", exact("news", "writer"));
  const senders = await Promise.all(
    rig.hosts.map((host: ClusterHostRig, at) => new RawWorker(host.dial(), `C${at}`).join()),
  );
  const came: string[] = [];
  const isAll = (): boolean => came.length === senders.length * count;
  const sending = senders.map((sender, at) =>
    sendAll(sender, (number) => {
      if (at === 0 && number === count / 3) first.send({ kind: "moving" });
    }),
  );
  await take(first, came, isAll);
  const next = await connection(rig.two, { workerId: "w", session: 2 }).join();
  await next.register("writer");
  await next.subscribe("s", exact("news", "writer"));
  first.send({ kind: "leaving", graceMs: 0, addresses: undefined });
  first.stream.end();
  await take(next, came, isAll);
  await Promise.all(sending);
  const bySender = new Map(senders.map(({ clientId = "" }) => [clientId, [] as number[]]));
  for (const message of came) bySender.get(message.slice(0, 2))?.push(Number(message.slice(3)));
  return bySender;
}

describe.each(clusterTransports)("a worker of an exclusive type that moves to another host over $name", ({ start }) => {
  it("gets the calls and events of each sender once and in their order", async () => {
    await using rig = await start({ count: 3 });
    const inOrder = Array.from({ length: count }, (_, number) => number);
    for (const [sender, numbers] of await moveUnder(rig)) expect(numbers, sender).toEqual(inOrder);
    const counters = rig.hosts.map(({ host }) => host.counters());
    for (const { droppedEvents, skippedEvents, unroutableEvents, badFrames } of counters)
      expect([droppedEvents, skippedEvents, unroutableEvents, badFrames]).toEqual([0, 0, 0, 0]);
  });
});

const [memory] = clusterTransports;
if (memory === undefined) throw new Error("There are memory links.");

describe("events that are published while a worker moves", () => {
  it("wait at each host until it is at the next one, also before it has subscribed there", async () => {
    await using rig = await memory.start({ count: 3 });
    const first = await connection(rig.one, { workerId: "w", session: 1 }).join();
    await first.register("writer");
    await first.subscribe("s", exact("news", "writer"));
    const publishers = await Promise.all(
      rig.hosts.map((host: ClusterHostRig, at) => new RawWorker(host.dial(), `P${at}`).join()),
    );
    // What hosts tell each other is in order: the answer to a subscription shows that the others have read what came before.
    const other = await new RawWorker(rig.one.dial(), "O").join();
    await other.register("other");
    first.send({ kind: "moving" });
    while ((await first.next()).kind !== "last");
    await other.subscribe("o", exact("barrier", "other"));
    for (const [at, publisher] of publishers.entries()) {
      publisher.publish("news", "default", `between-${at}`);
      await publisher.settled();
    }
    const next = await connection(rig.two, { workerId: "w", session: 2 }).join();
    await next.register("writer");
    const came = [await next.nextEvent(), await next.nextEvent(), await next.nextEvent()].map(({ id }) => id);
    expect(came.toSorted()).toEqual(["between-0", "between-1", "between-2"]);
    for (const [at, publisher] of publishers.entries()) {
      publisher.publish("news", "default", `before-${at}`);
      expect((await next.nextEvent()).id).toBe(`before-${at}`);
    }
  });
});

/** A manual clock that counts timers of one second. */
class CountingClock extends ManualClock {
  seconds = 0;

  override setTimer(delayMs: number, callback: () => void): Timer {
    if (delayMs === 1_000) this.seconds += 1;
    return super.setTimer(delayMs, callback);
  }
}

describe("what a worker sends that moves to another host itself", () => {
  /** The worker `s` at the first host moves. Its call 1 waits there for the place of `writer/1`, whose worker `t` is between two hosts. */
  async function movingSender(rig: ClusterRig, clock: CountingClock) {
    const target = (session: number) => connection(rig.two, { workerId: "t", session }).join();
    const sender = await run(
      clock,
      10,
      (async () => {
        const before = await target(1);
        await before.register("writer");
        const witness = await new RawWorker(rig.one.dial(), "C").join();
        witness.request("0", "writer/0");
        await before.nextRequest();
        before.stream.cancel();
        // From now on the host knows that the worker is between two hosts.
        await witness.nextResponse();
        const moving = await connection(rig.one, { workerId: "s", session: 1 }).join();
        moving.request("1", "writer/1");
        moving.send({ kind: "moving" });
        expect(await moving.next()).toMatchObject({ kind: "last" });
        return moving;
      })(),
    );
    const timersBefore = clock.seconds;
    sender.send({ kind: "heartbeat", seq: 7, isAnswer: false, leaseMs: 0 });
    const read = sender.next();
    // The host has the heartbeat, and waits.
    while (clock.seconds === timersBefore) await nextTurn();
    const moved = (async () => {
      expect(await read).toMatchObject({ kind: "heartbeat", seq: 7, isAnswer: true });
      const next = await connection(rig.two, { workerId: "s", session: 2 }).join();
      next.request("2", "writer/2");
      await next.settled();
    })();
    const keysSeen = async () => {
      const after = await run(clock, 0, target(2));
      await run(clock, 0, after.register("writer"));
      const first = await run(clock, 0, after.nextRequest());
      return [first.target?.key, (await run(clock, 10, after.nextRequest())).target?.key];
    };
    return { moved, keysSeen };
  }

  /** Lets the clock of both hosts go on by so much in each turn of the event loop until a promise has settled. */
  async function run<T>(clock: CountingClock, stepMs: number, promise: PromiseLike<T>): Promise<T> {
    let isSettled = false;
    const settled = () => {
      isSettled = true;
    };
    promise.then(settled, settled);
    for (await nextTurn(); !isSettled; await nextTurn()) clock.advance(stepMs);
    return promise;
  }

  /** Lets the call wait for so long before its place is known again. Returns whether its sender has moved by then, and the keys of the calls as they come. */
  async function callsAfter(waitedMs: number) {
    const clock = new CountingClock();
    const starting = memory?.start({ cluster: { rejoinGraceMs: 60_000 }, host: { clock } });
    if (starting === undefined) throw new Error("There are memory links.");
    const rig = await run(clock, 10, starting);
    try {
      const { moved, keysSeen } = await movingSender(rig, clock);
      let hasMoved = false;
      const noted = moved.then(() => {
        hasMoved = true;
      });
      clock.advance(waitedMs);
      for (let turns = 0; turns < 100; turns += 1) await run(clock, 0, nextTurn());
      const hadMoved = hasMoved;
      // The first host hears later than the second one that the worker is there. Without time it makes no new link.
      if (hadMoved) rig.cutLinks();
      const keys = await keysSeen();
      await run(clock, 0, noted);
      return { hadMoved, keys };
    } finally {
      await run(clock, 10, Promise.resolve(rig[Symbol.asyncDispose]()));
    }
  }

  it("comes before what it sends by its next host, also if it waits for its place at the one before for almost 1 s", async () => {
    expect(await callsAfter(999)).toEqual({ hadMoved: false, keys: ["1", "2"] });
  });

  it("may come behind what it sends by its next host when it has waited for its place for 1 s", async () => {
    expect(await callsAfter(1_000)).toEqual({ hadMoved: true, keys: ["2", "1"] });
  });
});
