import { describe, expect, it } from "vitest";
import { limits } from "../../../src/host/limits.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { exact, prefix, RawWorker } from "../../support/raw-worker.ts";

/** .NET's event of protocol.md §9: id E1, topic t/k, protobuf data. */
const protobufEvent = Buffer.from(
  "1ab5010a02453112016b2201742a160a0961676d73676b696e6412091a077075626c6973682a2b0a0f64617461636f6e74656e747479706512181a166170706c69636174696f6e2f782d70726f746f6275662a2b0a0a64617461736368656d61121d1a1b676f6f676c652e70726f746f6275662e537472696e6756616c756542370a2f747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472696e6756616c756512040a026869",
  "hex",
);

describe.each(hostTransports)("events through the host over $name", ({ start }) => {
  it("sends the event's own bytes to each of several workers exactly once [§8.56]", async () => {
    await using rig = await start();
    const workers = await Promise.all(["A", "B", "C"].map((id) => new RawWorker(rig.dial(), id).join()));
    for (const worker of workers) {
      const type = `agent-${worker.clientId}`;
      await worker.register(type);
      await worker.register(`${type}-too`);
      await worker.subscribe(`1-${type}`, exact("t", type));
      await worker.subscribe(`2-${type}`, prefix("", type));
      await worker.subscribe(`3-${type}`, exact("t", `${type}-too`));
    }
    const publisher = await new RawWorker(rig.dial(), "P").join();
    publisher.sendBytes(protobufEvent);
    await publisher.settled();
    for (const worker of workers) {
      expect(Buffer.from((await worker.nextArrived()).bytes).equals(protobufEvent)).toBe(true);
      expect(await worker.settled()).toEqual([]);
    }
    expect(rig.host.counters()).toMatchObject({ events: 1, deliveredEvents: 3 });
  });

  it("sends an event back to the publisher's own worker when it has a matching type [§8.57]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    await worker.subscribe("S", exact("t", "a"));
    worker.publish("t", "src", "E7");
    expect(await worker.nextEvent()).toMatchObject({ id: "E7", topicType: "t", topicSource: "src" });
  });

  it("passes over a worker without a channel; the others get the event [§8.58]", async () => {
    await using rig = await start();
    const absent = new RawWorker(rig.dial(), "absent");
    await absent.register("b");
    await absent.subscribe("S1", exact("t", "b"));
    const present = await new RawWorker(rig.dial(), "present").join();
    await present.register("a");
    await present.subscribe("S2", exact("t", "a"));
    present.publish("t");
    expect((await present.nextEvent()).topicType).toBe("t");
    expect(rig.host.counters().skippedEvents).toBe(1);
  });

  it("retains nothing of an event that nobody has subscribed to [§8.59]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    worker.publish("t");
    await worker.settled();
    await worker.subscribe("S", exact("t", "a"));
    expect(await worker.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ unroutableEvents: 1, deliveredEvents: 0 });
  });

  it.each(["", "a b", "a/b"])(
    "drops and counts an event with the topic type %j; the stream lives [§8.60]",
    async (type) => {
      await using rig = await start();
      const worker = await new RawWorker(rig.dial(), "W").join();
      await worker.register("a");
      await worker.subscribe("S", prefix("", "a"));
      worker.publish(type);
      worker.publish("good");
      expect((await worker.nextEvent()).topicType).toBe("good");
      expect(rig.host.counters().invalidEvents).toBe(1);
    },
  );

  it("keeps the order of one publisher's events to one worker [§8.61]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    await worker.subscribe("S", prefix("t", "a"));
    const publisher = await new RawWorker(rig.dial(), "P").join();
    const ids = Array.from({ length: 200 }, (_, index) => `E${index}`);
    for (const id of ids) publisher.publish(id.endsWith("7") ? "t:odd" : "t", "src", id);
    const arrived: string[] = [];
    while (arrived.length < ids.length) arrived.push((await worker.nextEvent()).id);
    expect(arrived).toEqual(ids);
  });

  it("keeps JSON events from .NET workers, and protobuf events not [§8.63]", async () => {
    // The raw worker asks the host for an error, to know that all before it is through.
    await using rig = await start({ dotnetErrors: "status" });
    const dotnet = await new RawWorker(rig.dial("grpc-dotnet/2.67.0"), "D").join();
    await dotnet.register("d");
    await dotnet.subscribe("S", exact("t", "d"));
    dotnet.publish("t");
    expect(await dotnet.settled()).toEqual([]);
    dotnet.sendBytes(protobufEvent);
    expect((await dotnet.nextEvent()).id).toBe("E1");
    expect(rig.host.counters().filteredEvents).toBe(1);
  });

  it("sends JSON events to .NET workers when the filter is off", async () => {
    await using rig = await start({ filterByPeer: false });
    const dotnet = await new RawWorker(rig.dial("grpc-dotnet/2.67.0"), "D").join();
    await dotnet.register("d");
    await dotnet.subscribe("S", exact("t", "d"));
    dotnet.publish("t");
    expect((await dotnet.nextEvent()).topicType).toBe("t");
  });

  it("keeps an event from a stock gRPC worker that could not receive it, whose channel lives on; others get it", async () => {
    await using rig = await start({ stockPeerMaxBytes: 1_000 });
    const stock = await new RawWorker(rig.dial("grpc-python/1.83.0"), "S").join();
    const ours = await new RawWorker(rig.dial(), "O").join();
    for (const worker of [stock, ours]) {
      await worker.register(`of-${worker.clientId}`);
      await worker.subscribe(`1-${worker.clientId}`, exact("t", `of-${worker.clientId}`));
    }
    const large = "L".repeat(2_000);
    for (const id of [large, "small"]) ours.publish("t", "s", id);
    expect((await stock.nextEvent()).id).toBe("small");
    for (const id of [large, "small"]) expect((await ours.nextEvent()).id).toBe(id);
    expect(rig.host.counters()).toMatchObject({ filteredEvents: 1, deliveredEvents: 3, channels: 2 });
  });

  it("routes by a new subscription at once, after however many topics [§8.39]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("a");
    for (let count = 0; count < 20_000; count += 1) worker.publish(`seen-${count}`);
    expect(await worker.settled()).toEqual([]);
    for (let count = 0; count < 20; count += 1) {
      await worker.subscribe(`S${count}`, prefix(`seen-${count}`, "a"));
      worker.publish(`seen-${count}:x`);
      expect((await worker.nextEvent()).topicType).toBe(`seen-${count}:x`);
    }
  });

  it("matches a prefix with every topic type that begins with it [§8.40]", async () => {
    await using rig = await start();
    const worker = await new RawWorker(rig.dial(), "W").join();
    await worker.register("echo");
    await worker.subscribe("S", prefix("echo:", "echo"));
    for (const type of ["echo:", "echo", "echo:x", "Echo:x", "echo:rpc_request=y"]) worker.publish(type);
    const types = (await worker.settled()).map((frame) => frame.kind === "event" && frame.event.topicType);
    expect(types).toEqual(["echo:", "echo:x", "echo:rpc_request=y"]);
  });
});

describe.each(hostTransports)("the registration of a type that thousands subscribe to, over $name", ({ start }) => {
  it.each(["by its own call", "in the channel"] as const)(
    "%s is answered when all of them get its events",
    async (how) => {
      const clock = new ManualClock();
      await using rig = await start({ clock });
      const early = await new RawWorker(rig.dial(), "E").join();
      const ids = Array.from({ length: 3 * limits.batchSize }, (_, index) => `t${index}`);
      await Promise.all(ids.map((id) => early.subscribe(id, exact(id, "a"))));
      const owner = await new RawWorker(rig.dial(), how === "in the channel" ? undefined : "O").join();
      let isRegistered = false;
      const registering = how === "in the channel" ? inChannel(owner) : owner.register("a");
      const registered = registering.then(() => {
        isRegistered = true;
      });
      await (how === "in the channel" ? early : owner).settled();
      await early.settled();
      expect(isRegistered).toBe(false);
      clock.advance(0);
      await registered;
      for (const topicType of ids.slice(-3)) early.publish(topicType);
      for (const topicType of ids.slice(-3)) expect(await owner.nextEvent()).toMatchObject({ topicType });
    },
  );
});

/** Registers the type "a" as a worker of generation 1. */
async function inChannel(worker: RawWorker): Promise<void> {
  worker.send({ kind: "register-type", requestId: "1", agentType: "a" });
  expect(await worker.next()).toMatchObject({ kind: "ack", requestId: "1", success: true });
}
