import { describe, expect, it } from "vitest";
import type { HostOptions } from "../../../src/host/index.ts";
import { encodeAgentId, encodeFrame, method } from "../../../src/protocol/internal.ts";
import { functionAuthenticator } from "../../../src/security/index.ts";
import { type Link, StatusCode } from "../../../src/transport/index.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { RawControl } from "../../support/raw-control.ts";
import { namesStates, RawStates } from "../../support/raw-states.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** Callers are who their user agent says. */
const authenticator = functionAuthenticator(({ metadata }) => ({
  name: (metadata["user-agent"] ?? "").split(" ")[0] || "-",
}));
const payload = { typeName: "T", contentType: "application/json", data: new TextEncoder().encode("1") };

function eventFrom(type: string, key: string) {
  const event = { id: "E", topicType: "t", topicSource: "s", sender: { type, key }, payload, attributes: {} };
  return { kind: "event", event } as const;
}

async function pair(rig: HostRig): Promise<{ readonly alice: RawWorker; readonly bob: RawWorker }> {
  const alice = await new RawWorker(rig.dial("alice"), "A", { isAnnounced: true }).join();
  const bob = await new RawWorker(rig.dial("bob"), "B", { isAnnounced: true }).join();
  await alice.register("vault");
  await bob.register("clerk");
  return { alice, bob };
}

describe.each(hostTransports)("a host that knows its callers, over $name", ({ start }) => {
  const started = (options: HostOptions = {}) => start({ authenticator, ...options });

  it.each([
    ["vault", "of another principal"],
    ["nobody", "that nobody serves"],
  ])("refuses calls in the name of an agent %s (%s), and drops such events", async (type) => {
    const logger = new RecordingLogger();
    await using rig = await started({ logger });
    const { alice, bob } = await pair(rig);
    await alice.subscribe("S", exact("t", "vault"));
    await Promise.all([alice.settled(), bob.settled()]);
    const { calls } = rig.host.counters();
    bob.request("1", "vault/k", { source: { type, key: "root" } });
    expect(await bob.nextResponse()).toMatchObject({
      requestId: "1",
      error: expect.stringContaining(`The sender's agent type ${type} is not served by this worker.`),
    });
    bob.send(eventFrom(type, "root"));
    expect(await bob.settled()).toEqual([]);
    expect(await alice.settled()).toEqual([]);
    // A request of each worker, which has no sender, shows that the host has read all before it.
    expect(rig.host.counters()).toMatchObject({ refusedSenders: 2, calls: calls + 3, events: 0 });
    expect(logger.texts("warn")).toContain("a message is refused: its sender is not an agent of its worker");
  });

  it("passes calls and events of a worker's own agents on, and those without a sender", async () => {
    await using rig = await started();
    const { alice, bob } = await pair(rig);
    await alice.subscribe("S", exact("t", "vault"));
    bob.request("1", "vault/k", { source: { type: "clerk", key: "k" } });
    expect(await alice.nextRequest()).toMatchObject({ source: { type: "clerk", key: "k" } });
    bob.request("2", "vault/k");
    expect(await alice.nextRequest()).toMatchObject({ source: undefined });
    bob.send(eventFrom("clerk", "k"));
    expect(await alice.nextEvent()).toMatchObject({ sender: { type: "clerk" } });
    bob.publish("t");
    await alice.nextEvent();
    expect(rig.host.counters().refusedSenders).toBe(0);
  });

  it("refuses a commit whose events, mail or reminders name an agent of another principal as their sender", async () => {
    await using rig = await started();
    const alice = await new RawWorker(rig.dial("alice"), "A", { isAnnounced: true }).join();
    await alice.register("vault");
    const bob = await new RawWorker(rig.dial("bob"), "B", namesStates).join();
    await bob.register("clerk");
    const states = new RawStates(bob.link, "B");
    const call = (source: string) =>
      encodeFrame({
        ...{ kind: "request", requestId: "", source: { type: source, key: "root" }, payload, metadata: {} },
        target: { type: "clerk", key: "a" },
      });
    const dueMs = Date.now() + 60_000;
    const rule = JSON.stringify({ repeats: { at: "once" }, missed: "once", dueMs, tick: 1, unfired: 0, waits: 0 });
    const sendsAs = (source: string) => [
      { events: [encodeFrame(eventFrom(source, "root"))] },
      { mail: [{ id: "m", message: call(source) }] },
      { reminders: [{ at: "set", name: "r", dueMs, rule, message: call(source) } as const] },
    ];
    for (const effects of sendsAs("vault")) {
      states.commit("clerk/a", effects);
      const text = expect.stringContaining("The sender's agent type vault is not served by this worker.");
      expect(await states.next()).toMatchObject({ outcome: { at: "failed", code: "not-authorized", text } });
    }
    expect(rig.host.counters()).toMatchObject({ refusedSenders: 3, commits: 0, events: 0 });
    const [events = {}] = sendsAs("clerk");
    states.commit("clerk/a", events);
    expect(await states.next()).toMatchObject({ outcome: { at: "committed" } });
  });

  it("reads a sender as its receiver does, though it is written twice or in parts", async () => {
    await using rig = await started();
    const { alice, bob } = await pair(rig);
    const target = { type: "vault", key: "k" };
    const base = { kind: "request", target, payload: undefined, metadata: {} } as const;
    const own = encodeFrame({ ...base, requestId: "1", source: { type: "clerk", key: "k" } });
    const foreign = encodeFrame({ ...base, requestId: "", target: undefined, source: { type: "vault", key: "root" } });
    // Protobuf merges what follows: both frames are one request, whose source is the later one.
    bob.sendBytes(merged(own, foreign));
    expect(await bob.nextResponse()).toMatchObject({ error: expect.stringContaining("not served by this worker") });
    expect(await alice.settled()).toEqual([]);
  });

  it("takes no sender for a claim where callers have no principals", async () => {
    await using rig = await start();
    const { alice, bob } = await pair(rig);
    bob.request("1", "vault/k", { source: { type: "admin", key: "root" } });
    expect(await alice.nextRequest()).toMatchObject({ source: { type: "admin", key: "root" } });
  });

  it.each([["save-request"], ["load-request"], ["deactivate-request"], ["destroy-request"]] as const)(
    "lets no stranger's %s reach an agent's worker, by the agent's name or by its worker's",
    async (kind) => {
      await using rig = await started();
      const { alice } = await pair(rig);
      const target = await RawControl.open(alice.link, "A");
      const stranger = await RawControl.open(rig.dial("bob"), "B2");
      const agentId = { type: "vault", key: "a" };
      const body = kind === "load-request" ? ({ kind, agentId, state: "{}" } as const) : ({ kind, agentId } as const);
      for (const destination of ["agentid=vault/a", "clientid=A"]) {
        stranger.send({ rpcId: "1", destination, respondTo: "clientid=B2", body });
        expect(await stranger.next()).toMatchObject({ body: { error: expect.stringContaining("another principal") } });
        expect(await target.settled()).toEqual([]);
      }
      const own = await RawControl.open(rig.dial("alice"), "A2");
      own.send({ rpcId: "2", destination: "agentid=vault/a", respondTo: "clientid=A2", body });
      expect(await target.next()).toMatchObject({ rpcId: "2", body });
    },
  );

  it("keeps stored states of stock clients to workers of the principal that serves the agent", async () => {
    await using rig = await started();
    await pair(rig);
    const get = (link: Link, type: string) =>
      link.unary(method.getState, encodeAgentId({ type, key: "k" }), { metadata: { "client-id": "X" } });
    await get(rig.dial("alice"), "vault");
    for (const [caller, type] of [
      ["bob", "vault"],
      ["alice", "clerk"],
      ["bob", "nobody"],
    ] as const)
      await expect(get(rig.dial(caller), type)).rejects.toMatchObject({ code: StatusCode.permissionDenied });
  });

  it("shows each principal its own subscriptions alone", async () => {
    await using rig = await started();
    const { alice, bob } = await pair(rig);
    await alice.subscribe("of-alice", exact("secret-topic", "vault"));
    await bob.subscribe("of-bob", exact("t", "clerk"));
    expect((await bob.subscriptions()).map(({ id }) => id)).toEqual(["of-bob"]);
    expect((await alice.subscriptions()).map(({ id }) => id)).toEqual(["of-alice"]);
    expect(await new RawWorker(rig.dial("carol"), "C").subscriptions()).toEqual([]);
  });

  it("refuses a subscription for an agent type of another principal, without a word of its worker", async () => {
    await using rig = await started();
    const { bob } = await pair(rig);
    const refusal = await bob.subscribe("S", exact("t", "vault")).then(String, String);
    expect(refusal).toContain("Another principal serves the agent type vault.");
    expect(refusal).not.toMatch(/\bA\b|127\.0\.0\.1|alice/);
    expect(rig.host.counters().subscriptions).toBe(0);
  });

  it("lets no other principal serve a type beside its owner, also with allowMultipleOwners", async () => {
    await using rig = await started({ allowMultipleOwners: true });
    const { bob } = await pair(rig);
    const refusal = await bob.register("vault").then(String, String);
    expect(refusal).toContain("Agent type vault already registered.");
    const second = await new RawWorker(rig.dial("alice"), "A2").join();
    await second.register("vault");
  });

  it("warns when a channel is replaced by a newer one", async () => {
    const logger = new RecordingLogger();
    await using rig = await started({ logger });
    const { alice } = await pair(rig);
    await new RawWorker(rig.dial("alice"), "A").join();
    expect(await alice.ended).toMatchObject({ status: { details: "replaced by a newer channel" } });
    expect(logger.texts("warn")).toEqual(["a worker's channel is replaced by a newer one under its client id"]);
  });
});

/** One message with the fields of both. */
function merged(one: Uint8Array, other: Uint8Array): Uint8Array {
  const bodies = [one, other].map((bytes) => bytes.subarray(2));
  const length = bodies.reduce((sum, { length: bytes }) => sum + bytes, 0);
  if (length > 127) throw new Error("the length does not fit into a byte");
  return Buffer.concat([Buffer.from([one[0] ?? 0, length]), ...bodies]);
}
