import { describe, expect, it } from "vitest";
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

describe("what a worker sends that moves to another host itself", () => {
  it("comes before what it sends by its next host, also if it waits for its place at the one before", async () => {
    await using rig = await memory.start({ cluster: { rejoinGraceMs: 60_000 } });
    const target = (session: number) => connection(rig.two, { workerId: "t", session }).join();
    const before = await target(1);
    await before.register("writer");
    const witness = await new RawWorker(rig.one.dial(), "C").join();
    witness.request("0", "writer/0");
    await before.nextRequest();
    before.stream.cancel();
    // From now on the host knows that the worker is between two hosts.
    await witness.nextResponse();
    const sender = await connection(rig.one, { workerId: "s", session: 1 }).join();
    sender.request("1", "writer/1");
    sender.send({ kind: "moving" });
    expect(await sender.next()).toMatchObject({ kind: "last" });
    sender.send({ kind: "heartbeat", seq: 7, isAnswer: false, leaseMs: 0 });
    const read = sender.next();
    const moved = (async () => {
      expect(await read).toMatchObject({ kind: "heartbeat", seq: 7, isAnswer: true });
      const next = await connection(rig.two, { workerId: "s", session: 2 }).join();
      next.request("2", "writer/2");
    })();
    const after = await target(2);
    await after.register("writer");
    const keys = [(await after.nextRequest()).target?.key, (await after.nextRequest()).target?.key];
    expect(keys).toEqual(["1", "2"]);
    await moved;
  });
});
