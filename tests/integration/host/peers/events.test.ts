import { describe, expect, it } from "vitest";
import { operationsOf } from "../../../../src/host/internal.ts";
import { linkedTransports } from "../../../support/linked-hosts.ts";
import { RawWorker } from "../../../support/raw-worker.ts";

const news = { kind: "type", topicType: "news", agentType: "reader" } as const;

describe.each(linkedTransports)("events between hosts over $name", ({ start }) => {
  it("reach each subscriber once, on whichever host, and a host without one sees nothing", async () => {
    await using rig = await start({ count: 3 });
    const [one, two, three] = rig.hosts;
    if (one === undefined || two === undefined || three === undefined) throw new Error("There are three hosts.");
    const reader = await new RawWorker(two.dial(), "R").join();
    await reader.register("reader");
    await reader.subscribe("s1", news);
    await reader.subscribe("s2", { kind: "prefix", topicTypePrefix: "ne", agentType: "reader" });
    const local = await new RawWorker(one.dial(), "L").join();
    await local.register("local");
    await local.subscribe("s3", { kind: "type", topicType: "news", agentType: "local" });
    const publisher = await new RawWorker(one.dial(), "P").join();
    publisher.publish("news", "default", "e1");
    publisher.publish("other", "default", "e2");
    publisher.publish("news", "default", "e3");
    expect([(await reader.nextEvent()).id, (await reader.nextEvent()).id]).toEqual(["e1", "e3"]);
    expect([(await local.nextEvent()).id, (await local.nextEvent()).id]).toEqual(["e1", "e3"]);
    expect(two.host.counters()).toMatchObject({ events: 2, deliveredEvents: 2 });
    expect(three.host.counters().events).toBe(0);
  });

  it("of a publisher that is not a worker reach subscribers at other hosts", async () => {
    await using rig = await start();
    const reader = await new RawWorker(rig.two.dial(), "R").join();
    await reader.register("reader");
    await reader.subscribe("s1", news);
    const operations = operationsOf(rig.one.host.servicer);
    const signal = new AbortController().signal;
    const payload = { typeName: "Note", contentType: "application/json", data: new TextEncoder().encode("{}") };
    for (const id of ["e1", "e2"]) {
      const event = { id, topicType: "news", topicSource: "default", payload, attributes: {} };
      const publisher = { principal: undefined, address: "127.0.0.1", party: "127.0.0.1" };
      await operations.publish(publisher, event, { isDurable: false, idempotencyKey: undefined, signal });
    }
    expect([(await reader.nextEvent()).id, (await reader.nextEvent()).id]).toEqual(["e1", "e2"]);
  });

  it("come to a subscription as soon as it is answered", async () => {
    await using rig = await start();
    const publisher = await new RawWorker(rig.one.dial(), "P").join();
    const reader = await new RawWorker(rig.two.dial(), "R").join();
    await reader.register("reader");
    for (let round = 0; round < 20; round += 1) {
      await reader.subscribe(`s${round}`, { kind: "type", topicType: `news-${round}`, agentType: "reader" });
      publisher.publish(`news-${round}`, "default", `e${round}`);
    }
    for (let round = 0; round < 20; round += 1) expect((await reader.nextEvent()).id).toBe(`e${round}`);
  });

  it("come no more when the subscription is removed or its worker has gone", async () => {
    await using rig = await start();
    const publisher = await new RawWorker(rig.one.dial(), "P").join();
    const reader = await new RawWorker(rig.two.dial(), "R").join();
    await reader.register("reader");
    await reader.subscribe("s1", news);
    await reader.subscribe("s2", { kind: "type", topicType: "end", agentType: "reader" });
    publisher.publish("news", "default", "e1");
    expect((await reader.nextEvent()).id).toBe("e1");
    await reader.unsubscribe("s1");
    // What hosts tell each other is in order: a later subscription shows that the removal is known.
    await reader.subscribe("s3", { kind: "type", topicType: "more", agentType: "reader" });
    publisher.publish("news", "default", "e2");
    publisher.publish("end", "default", "e3");
    expect((await reader.nextEvent()).id).toBe("e3");
  });

  it("stay behind the calls and events that their publisher has sent before", async () => {
    await using rig = await start();
    const publisher = await new RawWorker(rig.one.dial(), "P").join();
    const reader = await new RawWorker(rig.two.dial(), "R").join();
    await reader.register("reader");
    await reader.subscribe("s1", news);
    for (let number = 0; number < 30; number += 1) {
      if (number % 2 === 0) publisher.request(`r${number}`, `reader/${number}`);
      else publisher.publish("news", "default", `e${number}`);
    }
    for (let number = 0; number < 30; number += 1) {
      const frame = await reader.next();
      const came = frame.kind === "request" ? frame.target?.key : frame.kind === "event" ? frame.event.id.slice(1) : "";
      expect(came).toBe(String(number));
    }
  });
});
