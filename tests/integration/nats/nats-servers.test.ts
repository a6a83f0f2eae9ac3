import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { openNatsStore } from "../../../src/nats/index.ts";
import { openNatsStoreWith } from "../../../src/nats/open-nats-store.ts";
import { WatchRecorder } from "../../../src/testing/contracts/coordination-store/coordination-case.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { NatsRig, untilAnswers } from "../../support/nats-rig.ts";
import { NatsServer, natsAbsence, natsClusterAbsence } from "../../support/nats-server.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

const absence = natsAbsence();
const value = new TextEncoder().encode("1");

describe.skipIf(absence !== undefined)(`a NATS server${absence === undefined ? "" : ` (${absence})`}`, () => {
  it("is needed: where there is none, the opening says how to start one", async () => {
    const opening = openNatsStore("nats://127.0.0.1:1", { openTimeoutMs: 1 });
    await expect(opening).rejects.toMatchObject({
      code: "disconnected",
      message: expect.stringContaining("nats-server --jetstream"),
    });
  });

  it("without JetStream is refused with what to do", async () => {
    await using server = await NatsServer.start(["jetstream: disabled"]);
    const opening = openNatsStore(server.url, { openTimeoutMs: 1 });
    await expect(opening).rejects.toMatchObject({
      code: "wrong-state",
      message: expect.stringContaining("Start the servers with JetStream"),
    });
  });

  it("that asks for a login refuses a wrong one, and takes that in its address", async () => {
    await using server = await NatsServer.start(["authorization { user: troupe, password: 's3cret@' }"]);
    await expect(openNatsStore(server.url)).rejects.toMatchObject({ code: "not-authorized" });
    await using store = await openNatsStore(`nats://troupe:s3cret%40@${server.address}`);
    expect(await store.write("worker.a", value, 0)).toMatchObject({ at: "written" });
  });

  it("keeps clusters of two names apart", async () => {
    await using server = await NatsServer.start();
    await using one = await openNatsStore(server.url, { clusterName: "one" });
    await using two = await openNatsStore(server.url, { clusterName: "two" });
    await one.write("worker.a", value, 0);
    expect(await two.read("worker.a", { fresh: true })).toBeUndefined();
  });

  it("is not written to while it is away, and again when it is back", async () => {
    await using server = await NatsServer.start();
    const rig = new NatsRig([server]);
    await using store = await rig.open();
    await server.kill();
    while ((await store.write("worker.a", value, 0)).at !== "unknown");
    expect(await store.read("worker.a")).toBe("unknown");
    await server.restart();
    await untilAnswers(store);
    expect(["written", "conflict"]).toContain((await store.write("worker.b", value, 0)).at);
  });

  it("is read on when a watcher or a listener throws", async () => {
    await using server = await NatsServer.start();
    const logger = new RecordingLogger();
    await using store = await openNatsStore(server.url, { clusterName: "c", logger });
    await using other = await openNatsStore(server.url, { clusterName: "c" });
    const fail = (): void => {
      throw new Error("a bug of a watcher");
    };
    store.watch("worker.", { onEntry: fail, onCaughtUp: fail, onReset: fail });
    store.onAnnouncement(fail);
    const heard = new Promise<Uint8Array>((resolve) => void store.onAnnouncement(resolve));
    const watch = new WatchRecorder();
    store.watch("worker.", watch);
    for (const key of ["worker.a", "worker.b"]) {
      expect(await store.write(key, value, 0)).toMatchObject({ at: "written" });
      await watch.told(key, "1");
    }
    expect(await store.read("worker.a", { fresh: true })).toMatchObject({ key: "worker.a" });
    other.announce(value);
    expect(await heard).toEqual(value);
    await server.kill();
    await server.restart();
    await untilAnswers(store);
    await watch.until(() => watch.resets === 1);
    expect(await store.write("worker.c", value, 0)).toMatchObject({ at: "written" });
    await watch.told("worker.c", "1");
    expect(logger.texts("error")).toContain("a watcher of the store has thrown an error");
  });

  it.each(["killed", "frozen"])("that is %s keeps no close waiting, nor what waits for its answers", async (how) => {
    await using server = await NatsServer.start();
    const store = await openNatsStore(server.url, { clock: new ManualClock() });
    store.watch("worker.", new WatchRecorder());
    expect(await store.write("worker.a", value, 0)).toMatchObject({ at: "written" });
    if (how === "killed") await server.kill();
    else server.freeze();
    const writes = Array.from({ length: 5_000 }, (_, at) => store.write(`worker.b${at}`, value, 0));
    const reads = [store.read("worker.a"), store.read("worker.a", { fresh: true })];
    await store.close();
    expect(new Set((await Promise.all(writes)).map(({ at }) => at))).toEqual(new Set(["unknown"]));
    expect(new Set(await Promise.all(reads))).toEqual(new Set(["unknown"]));
  });

  it("forgets a claim when its life is over, and nothing else", async () => {
    await using server = await NatsServer.start();
    await using store = await openNatsStoreWith(server.url, {}, { claimLifeMs: 200 });
    const first = await store.write("claim.a.b", value, 0);
    await store.write("worker.a", value, 0);
    while ((await store.read("claim.a.b", { fresh: true })) !== undefined);
    expect(await store.read("worker.a", { fresh: true })).toMatchObject({ key: "worker.a" });
    const again = await store.write("claim.a.b", value, 0);
    if (first.at !== "written" || again.at !== "written") throw new Error("Both are written.");
    expect(again.revision).toBeGreaterThan(first.revision);
  });

  it("whose stream another program has made is refused with what to do", async () => {
    await using server = await NatsServer.start();
    await using _ = await openNatsStoreWith(server.url, {}, { claimLifeMs: 1_000_000 });
    await expect(openNatsStore(server.url)).rejects.toMatchObject({
      code: "wrong-state",
      message: expect.stringContaining("set another clusterName"),
    });
  });

  it("that is older than 2.11 is refused where several keep copies", async () => {
    const older = natsClusterAbsence();
    await using server = await NatsServer.start();
    const opening = openNatsStore(server.url, { replicas: 3 });
    const message = older === undefined ? "Three copies need three servers" : "lets two hosts win one race";
    await expect(opening).rejects.toMatchObject({ code: "wrong-state", message: expect.stringContaining(message) });
  });

  it("whose streams an operator deletes while hosts run gets empty ones, and the watches begin anew", async () => {
    await using server = await NatsServer.start();
    const logger = new RecordingLogger();
    await using store = await openNatsStore(server.url, { logger });
    const { connect } = await import("@nats-io/transport-node");
    const operator = await connect({ servers: server.url });
    const watch = new WatchRecorder();
    store.watch("worker.", watch);
    expect(await store.write("worker.a", value, 0)).toMatchObject({ at: "written" });
    await watch.told("worker.a", "1");
    await operator.request("$JS.API.STREAM.DELETE.KV_troupe_troupe_claims_0");
    while ((await store.write("claim.a.b", value, 0)).at !== "written");
    await operator.request("$JS.API.STREAM.DELETE.KV_troupe_troupe_ctl");
    while ((await store.write("worker.b", value, 0)).at !== "written");
    await watch.told("worker.b", "1");
    expect(await store.read("worker.a", { fresh: true })).toBeUndefined();
    expect(watch.resets).toBe(1);
    expect(logger.texts("error")).toContain("NATS has lost the store of the cluster, which was made anew");
    await operator.close();
  });

  it("that takes rights away and gives them back is used again", async () => {
    const login = (rights: string): string => `authorization { users: [{ user: t, password: t, ${rights} }] }`;
    const all = login('permissions: { publish: ">", subscribe: ">" }');
    const none = login('permissions: { publish: { deny: ">" }, subscribe: { deny: ">" } }');
    await using server = await NatsServer.start([all]);
    const logger = new RecordingLogger();
    await using store = await openNatsStore(`nats://t:t@${server.address}`, { logger });
    await using other = await openNatsStore(`nats://t:t@${server.address}`);
    const watch = new WatchRecorder();
    store.watch("worker.", watch);
    await watch.until(() => watch.caughtUp === 1);
    await server.reload([none]);
    // A write may come before the server has read its rules again.
    while ((await store.write("worker.early", value, 0)).at !== "unknown");
    expect(logger.texts("warn").join()).toContain("NATS refuses");
    await server.reload([all]);
    while ((await store.write("worker.a", value, 0)).at !== "written");
    await watch.told("worker.a", "1");
    let isHeard = false;
    store.onAnnouncement(() => {
      isHeard = true;
    });
    // An announcement may be lost, as long as the store does not hear them.
    for (; !isHeard; await other.read("worker.a", { fresh: true })) other.announce(value);
  });

  it("that comes back without its files gets an empty store, and the watches begin anew", async () => {
    await using server = await NatsServer.start();
    const logger = new RecordingLogger();
    await using store = await openNatsStore(server.url, { logger });
    expect(await store.write("worker.a", value, 0)).toMatchObject({ at: "written" });
    const watch = new WatchRecorder();
    store.watch("worker.", watch);
    await watch.until(() => watch.caughtUp === 1);
    await server.kill();
    rmSync(server.dataFolder, { recursive: true });
    await server.restart();
    await untilAnswers(store);
    expect(await store.read("worker.a", { fresh: true })).toBeUndefined();
    expect(await store.write("worker.b", value, 0)).toMatchObject({ at: "written" });
    await watch.told("worker.b", "1");
    expect(watch.resets).toBe(1);
    expect(logger.texts("error")).toContain("NATS has lost the store of the cluster, which was made anew");
  });
});
