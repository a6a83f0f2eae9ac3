import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openNatsStore } from "../../../src/nats/index.ts";
import { checkNats, inspectNats } from "../../../src/nats/internal.ts";
import { NatsServer, natsAbsence } from "../../support/nats-server.ts";

const absence = natsAbsence();

describe.skipIf(absence !== undefined)("NATS servers that an operator asks about", { timeout: 60_000 }, () => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await NatsServer.start();
  }, 60_000);
  afterAll(() => server[Symbol.asyncDispose]());

  it("are told as they are, and nothing is made there", async () => {
    const options = { clusterName: "unmade" };
    for (let times = 0; times < 2; times += 1) {
      const { servers, streams, rights, hosts } = await checkNats(server.url, options);
      expect(servers).toMatchObject([
        { address: server.address, hasJetStream: true, isClustered: false, problem: null },
      ]);
      expect(streams.map(({ state }) => state)).toEqual(["missing", "missing", "missing", "missing"]);
      expect(rights.filter(({ outcome }) => outcome === "skipped")).toHaveLength(8);
      expect(hosts).toBeNull();
    }
  });

  it("have the streams of a cluster that has begun, and a write that is tried leaves nothing", async () => {
    await using _store = await openNatsStore(server.url, { clusterName: "begun" });
    const { rights, hosts } = await checkNats(server.url, { clusterName: "begun" });
    const granted = rights.filter(({ outcome }) => outcome === "granted").map(({ what }) => what);
    expect(granted).toContain("writes hosts, workers and types");
    expect(granted).toContain("writes claims");
    expect(hosts).toEqual([]);
    const { streams } = await inspectNats(server.url, { clusterName: "begun" });
    const [control, claims, mail] = streams;
    expect(control).toMatchObject({ state: "there", messages: 0, copies: 1, storage: "file", problem: null });
    expect([claims?.state, mail?.state]).toEqual(["there", "missing"]);
  });

  it("that are away are said, and others still answer", async () => {
    const { servers, streams } = await inspectNats(["nats://127.0.0.1:1", server.url], {});
    expect(servers.map(({ problem }) => problem === null)).toEqual([false, true]);
    expect(servers[0]?.problem).toContain("can't be reached at 127.0.0.1:1");
    expect(streams).toHaveLength(4);
    const none = await inspectNats("nats://127.0.0.1:1", {});
    expect(none).toMatchObject({ streams: [], clockAheadMs: null });
    await expect(inspectNats("http://x", {})).rejects.toMatchObject({ code: "invalid-argument" });
  });
});
