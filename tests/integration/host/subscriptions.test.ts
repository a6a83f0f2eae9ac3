import { describe, expect, it } from "vitest";
import { StatusCode } from "../../../src/transport/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import { exact, prefix, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const exists = { code: StatusCode.invalidArgument, details: "Subscription already exists" };

describe.each(hostTransports)("subscriptions over $name", ({ start }) => {
  it("refuses a second subscription with the same content under another id [§8.30]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.subscribe("S1", exact("t", "a"));
    await expect(x.subscribe("S2", exact("t", "a"))).rejects.toMatchObject({ status: exists });
    await expect(y.subscribe("S3", exact("t", "a"))).rejects.toMatchObject({ status: exists });
  });

  it("grants the identical subscription of the same client again [§8.31]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    await x.subscribe("S", exact("t", "a"));
    await x.subscribe("S", exact("t", "a"));
    expect(await x.subscriptions()).toHaveLength(1);
  });

  it("refuses the same id with another content, and the identical one from another client [§8.32]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.subscribe("S", exact("t", "a"));
    await expect(x.subscribe("S", exact("u", "a"))).rejects.toMatchObject({ status: exists });
    await expect(y.subscribe("S", exact("t", "a"))).rejects.toMatchObject({ status: exists });
  });

  it("keeps an exact and a prefix subscription of the same text apart [§8.33]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    await x.subscribe("S1", exact("x", "a"));
    await x.subscribe("S2", prefix("x", "a"));
    expect(await x.subscriptions()).toEqual([
      { id: "S1", pattern: exact("x", "a") },
      { id: "S2", pattern: prefix("x", "a") },
    ]);
  });

  it("says NOT_FOUND for the removal of an unknown subscription [§8.34]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    await expect(x.unsubscribe("S")).rejects.toMatchObject({
      status: { code: StatusCode.notFound, details: "Subscription does not exist" },
    });
  });

  it("routes nothing by a removed subscription, and takes it anew afterwards [§8.35]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    await x.register("a");
    for (const pattern of [exact("t", "a"), prefix("t", "a")]) {
      await x.subscribe("S", pattern);
      await x.unsubscribe("S");
      x.publish("t");
      expect(await x.settled()).toEqual([]);
      await x.subscribe("S", pattern);
      x.publish("t");
      expect(await x.settled()).toHaveLength(1);
      await x.unsubscribe("S");
    }
  });

  it("lists all live subscriptions under the ids that their clients gave [§8.36]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.subscribe("from-x", exact("t", "a"));
    await y.subscribe("from-y", prefix("p:", "b"));
    expect(await x.subscriptions()).toEqual([
      { id: "from-x", pattern: exact("t", "a") },
      { id: "from-y", pattern: prefix("p:", "b") },
    ]);
  });

  it("refuses a subscription without a pattern and stores nothing [§8.37]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const status = { code: StatusCode.invalidArgument, details: "Invalid subscription message." };
    await expect(x.subscribe("S", undefined)).rejects.toMatchObject({ status });
    await expect(x.unary("AddSubscription", new Uint8Array())).rejects.toMatchObject({ status });
    expect(await x.subscriptions()).toEqual([]);
  });

  it("refuses an invalid agent type, and later subscriptions and events are unaffected [§8.38]", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    await x.register("a");
    x.publish("t");
    await expect(x.subscribe("bad", exact("t", "a b"))).rejects.toMatchObject({
      status: { code: StatusCode.invalidArgument, details: expect.stringMatching(/^Invalid agent type: a b\. /) },
    });
    await x.subscribe("good", exact("t", "a"));
    x.publish("t");
    expect((await x.nextEvent()).topicType).toBe("t");
    expect(await x.subscriptions()).toHaveLength(1);
  });

  it("lets any client remove any subscription, and forgets it for its owner as well", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.subscribe("S", exact("t", "a"));
    await y.unsubscribe("S");
    await y.subscribe("S", exact("t", "a"));
    x.stream.end();
    await x.ended;
    expect(await y.subscriptions()).toHaveLength(1);
  });

  it("takes one for an agent type of another worker, and warns that it has no effect there (H17)", async () => {
    const logger = new RecordingLogger();
    await using rig = await start({ logger });
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.register("a");
    await x.subscribe("S1", exact("t", "a"));
    expect(logger.texts("warn")).toEqual([]);
    await y.subscribe("S2", exact("u", "a"));
    expect(await y.subscriptions()).toHaveLength(2);
    expect(logger.texts("warn")).toEqual(["a subscription for an agent type of another worker has no effect there"]);
  });

  it("warns once the agent type that a subscription waits for is registered by another worker (H17)", async () => {
    const logger = new RecordingLogger();
    await using rig = await start({ logger });
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await y.subscribe("S1", exact("t", "late"));
    await y.subscribe("S2", exact("t", "own"));
    await y.register("own");
    expect(logger.texts("warn")).toEqual([]);
    await x.register("late");
    await x.register("late");
    expect(logger.lines.filter(({ level }) => level === "warn")).toEqual([
      {
        level: "warn",
        text: "a subscription for an agent type of another worker has no effect there",
        fields: { agentType: "late", clientId: "Y" },
      },
    ]);
  });

  it("keeps others' subscriptions from being removed when told to", async () => {
    await using rig = await start({ ownOnly: true });
    const x = await new RawWorker(rig.dial(), "X").join();
    const y = await new RawWorker(rig.dial(), "Y").join();
    await x.subscribe("S", exact("t", "a"));
    await expect(y.unsubscribe("S")).rejects.toMatchObject({ status: { code: StatusCode.permissionDenied } });
    await x.unsubscribe("S");
  });

  it("lists very many of them without making others wait for the end of the list", async () => {
    await using rig = await start();
    const x = await new RawWorker(rig.dial(), "X").join();
    const call = {
      method: "AddSubscription",
      metadata: { "client-id": "X" },
      peer: "test",
      signal: new AbortController().signal,
    };
    const ids = Array.from({ length: 12_000 }, (_, index) => `S${index}`);
    for (const id of ids) await rig.host.servicer.addSubscription({ id, pattern: exact(id, "a") }, call);
    const ended: string[] = [];
    const listed = x.subscriptions().finally(() => ended.push("the list"));
    await x.register("b").finally(() => ended.push("a registration"));
    expect((await listed).map(({ id }) => id)).toEqual(ids);
    expect(ended).toEqual(["a registration", "the list"]);
  });
});
