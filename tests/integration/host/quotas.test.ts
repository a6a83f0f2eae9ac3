import { describe, expect, it, vi } from "vitest";
import type { HostOccurrence, HostOptions } from "../../../src/host/index.ts";
import { encodeAgentId, encodeFrame, encodeStoredState } from "../../../src/protocol/internal.ts";
import { functionAuthenticator, type QuotaRule, quotaRules } from "../../../src/security/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { StatusCode } from "../../../src/transport/index.ts";
import { type HostRig, hostTransports, startOverGrpc } from "../../support/host-transports.ts";
import { eventOn, namesStates, RawStates } from "../../support/raw-states.ts";
import { chunk } from "../../support/raw-streams.ts";
import { exact, prefix, RawWorker, textPayload } from "../../support/raw-worker.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";

/** Callers are who their user agent says. */
const authenticator = functionAuthenticator(({ metadata }) => {
  const name = (metadata["user-agent"] ?? "").split(" ")[0] || "-";
  return name === "stranger" ? undefined : { name, roles: [`role-${name}`] };
});
const announced = { isAnnounced: true };

async function joined(rig: HostRig, name: string, id: string, options = announced): Promise<RawWorker> {
  return new RawWorker(rig.dial(name), id, options).join();
}

const overloaded = { metadata: expect.objectContaining({ agerrorcode: "overloaded", agnothandled: "1" }) };

describe.each(hostTransports)("a host with quotas, over $name", ({ start }) => {
  const clock = () => new ManualClock();
  const started = (rules: readonly QuotaRule[], options: HostOptions = {}) =>
    start({ authenticator, quotas: quotaRules(rules), heartbeatTimeoutMs: 0, ...options });

  it("lets a principal send so many messages in a second over all its workers, and says when to try again", async () => {
    const logger = new RecordingLogger();
    const seen: HostOccurrence[] = [];
    const time = clock();
    const quota = { principal: "bob", messagesPerSecond: 4 };
    await using rig = await started([quota], { clock: time, logger, observer: (what) => seen.push(what) });
    const alice = await joined(rig, "alice", "A");
    await alice.register("vault");
    const [one, two] = [
      new RawWorker(rig.dial("bob"), "B1", announced),
      new RawWorker(rig.dial("bob"), "B2", announced),
    ];
    for (const worker of [one, two]) await worker.open().responseMetadata();
    for (const id of ["1", "2"]) one.request(id, "vault/k");
    for (let count = 0; count < 2; count += 1) await alice.nextRequest();
    for (const id of ["3", "4", "5"]) two.request(id, "vault/k");
    const refusal = await two.nextResponse();
    expect(refusal).toMatchObject({ requestId: "5", ...overloaded });
    expect(refusal.error).toBe("This principal may send 4 messages in a second. Try again in 250 ms.");
    expect(refusal.metadata.agretryms).toBe("250");
    for (let count = 0; count < 2; count += 1) await alice.nextRequest();
    // Others are not hurt.
    const carol = await joined(rig, "carol", "C");
    for (let count = 0; count < 20; count += 1) carol.request(String(count), "vault/k");
    for (let count = 0; count < 20; count += 1) await alice.nextRequest();
    time.advance(250);
    one.request("6", "vault/k");
    await alice.nextRequest();
    expect(rig.host.counters()).toMatchObject({ refusedByQuota: 1 });
    expect(seen).toContainEqual(expect.objectContaining({ at: "limited", what: "quota", clientId: "B2" }));
    expect(JSON.stringify(logger.lines)).toContain("bob: This principal may send 4 messages in a second.");
  });

  it("counts chunks as messages with their bytes, and ends a stream beyond them; its caller does not call again", async () => {
    await using rig = await started([
      { principal: "bob", messagesPerSecond: 3 },
      { principal: "dora", bytesPerSecond: 1_000 },
    ]);
    const names = { isAnnounced: true, metadata: { agcaps: "turns,streams" } };
    const alice = await joined(rig, "alice", "A", names);
    for (const [name, bytes] of [
      ["bob", 8],
      ["dora", 600],
    ] as const) {
      const target = new RawWorker(rig.dial(name), name, names).open();
      await target.responseMetadata();
      await target.register(`poet-${name}`);
      alice.request("7", `poet-${name}/k`, { metadata: { agstream: "100000" } });
      const { requestId } = await target.nextRequest();
      for (let offset = 0; offset < 4; offset += 1) target.send(chunk(requestId, offset, bytes));
      let came = 0;
      let frame = await alice.next();
      for (; frame.kind === "chunk"; frame = await alice.next()) came += 1;
      expect(came).toBeLessThan(4);
      if (frame.kind !== "response") return expect.unreachable();
      expect(frame.error).toContain(`A chunk of agent type poet-${name} was refused. This principal may send`);
      expect(frame.metadata.agerrorcode).toBe("overloaded");
      expect(frame.metadata.agretryms).toBeUndefined();
      expect(frame.metadata.agnothandled).toBeUndefined();
      expect(await target.nextCancel()).toMatchObject({ requestId, reason: "cancelled" });
    }
    expect(rig.host.counters().refusedByQuota).toBeGreaterThanOrEqual(2);
  });

  it("drops and counts events beyond the bytes of a second, and lets a long one pass alone", async () => {
    const time = clock();
    await using rig = await started([{ role: "role-bob", bytesPerSecond: 1_000 }], { clock: time });
    const alice = await joined(rig, "alice", "A");
    await alice.register("vault");
    await alice.subscribe("S", prefix("", "vault"));
    const bob = new RawWorker(rig.dial("bob"), "B", announced);
    await bob.open().responseMetadata();
    bob.publish("long".padEnd(5_000, "x"));
    bob.publish("lost");
    expect((await alice.nextEvent()).topicType).toMatch(/^longx/);
    // It owes more than four seconds.
    bob.request("1", "vault/k");
    expect(await bob.nextResponse()).toMatchObject({ requestId: "1", ...overloaded });
    time.advance(6_000);
    bob.publish("later");
    expect((await alice.nextEvent()).topicType).toBe("later");
    expect(rig.host.counters()).toMatchObject({ refusedByQuota: 2 });
  });

  it("bounds the channels, agent types and subscriptions of each principal, and gives them back", async () => {
    await using rig = await started([{ principal: "*", channels: 2, types: 2, subscriptions: 1 }]);
    const one = await joined(rig, "bob", "B1");
    const two = await joined(rig, "bob", "B2");
    const three = new RawWorker(rig.dial("bob"), "B3", announced).open();
    const end = await three.ended;
    expect(end).toMatchObject({ by: "status", status: { code: StatusCode.resourceExhausted } });
    expect(JSON.stringify(end)).toContain("This principal may have 2 channels at once.");
    await one.register("a");
    await two.register("b");
    const full = { code: StatusCode.resourceExhausted, message: expect.stringContaining("may have 2 agent types") };
    await expect(two.register("c")).rejects.toMatchObject(full);
    await one.subscribe("S", exact("t", "a"));
    const noMore = { code: StatusCode.resourceExhausted, message: expect.stringContaining("may have 1 subscriptions") };
    await expect(two.subscribe("S2", exact("t", "b"))).rejects.toMatchObject(noMore);
    const other = await joined(rig, "alice", "A");
    await other.register("c");
    one.stream.end();
    await one.ended;
    await two.settled();
    await two.register("d");
    await two.subscribe("S2", exact("t", "b"));
    await joined(rig, "bob", "B4");
  });

  it("bounds the subscriptions of a principal also over workers that have added and removed some before they joined", async () => {
    await using rig = await started([{ principal: "*", subscriptions: 2 }]);
    const workers = ["B1", "B2", "B3"].map((id) => new RawWorker(rig.dial("bob"), id, announced));
    for (const [index, worker] of workers.entries()) {
      await worker.subscribe(`early-${index}`, exact("t", "a"));
      await worker.unsubscribe(`early-${index}`);
    }
    const outcomes: string[] = [];
    for (const [index, worker] of workers.entries()) {
      await worker.join();
      for (const id of ["x", "y"])
        outcomes.push(
          await worker.subscribe(`${id}-${index}`, exact(`${id}-${index}`, "a")).then(
            () => "added",
            (error: Error) => error.message,
          ),
        );
    }
    const refused = expect.stringContaining("This principal may have 2 subscriptions at once.");
    expect(outcomes).toEqual(["added", "added", refused, refused, refused, refused]);
  });

  it("bounds the calls under way of each principal", async () => {
    await using rig = await started([{ principal: "bob", calls: 2 }]);
    const alice = await joined(rig, "alice", "A");
    await alice.register("vault");
    const bob = new RawWorker(rig.dial("bob"), "B", announced);
    await bob.open().responseMetadata();
    for (const id of ["1", "2", "3"]) bob.request(id, "vault/k");
    expect(await bob.nextResponse()).toMatchObject({ requestId: "3", ...overloaded });
    alice.respond((await alice.nextRequest()).requestId, "done");
    expect(await bob.nextResponse()).toMatchObject({ requestId: "1", error: "" });
    bob.request("4", "vault/k");
    await alice.nextRequest();
    await alice.nextRequest();
  });

  it("bounds the bytes that a principal makes the host keep over all its workers, and gives them back", async () => {
    const seen: HostOccurrence[] = [];
    await using rig = await started([{ principal: "bob", keptBytes: 100_000 }], {
      observer: (what) => seen.push(what),
    });
    const alice = await joined(rig, "alice", "A");
    await alice.register("vault");
    const one = await joined(rig, "bob", "B1");
    const two = await joined(rig, "bob", "B2");
    for (const worker of [one, two])
      for (let count = 1; count <= 500; count += 1) worker.request(String(count), "vault/k");
    const full = {
      ...overloaded,
      error: expect.stringContaining("This principal may make the host keep 100000 bytes"),
    };
    for (const worker of [one, two]) expect(await worker.nextResponse()).toMatchObject(full);
    const numbers = () => rig.host.counters();
    await vi.waitFor(() => expect(numbers().pendingCalls + numbers().refusedByQuota).toBe(1_000));
    const { pendingCalls } = numbers();
    expect(pendingCalls).toBeLessThan(900);
    const taken: string[] = [];
    while (taken.length < pendingCalls) taken.push((await alice.nextRequest()).requestId);
    // Others are not hurt.
    const carol = await joined(rig, "carol", "C");
    for (let count = 0; count < 100; count += 1) carol.request(String(count), "vault/k");
    for (let count = 0; count < 100; count += 1) await alice.nextRequest();
    for (const requestId of taken) alice.respond(requestId, "done");
    await vi.waitFor(() => expect(numbers().pendingCalls).toBe(100));
    two.request("again", "vault/k");
    await alice.nextRequest();
    expect(seen).toContainEqual(expect.objectContaining({ at: "limited", what: "quota" }));
  });

  it("counts a commit, its events, its mail and its reminders as messages", async () => {
    const time = clock();
    await using rig = await started([{ principal: "bob", messagesPerSecond: 4 }], { clock: time });
    const bob = new RawWorker(rig.dial("bob"), "B", namesStates);
    await bob.open().responseMetadata();
    await bob.register("teller");
    const states = new RawStates(rig.dial("bob"), "B");
    const call = { requestId: "1", source: undefined, target: { type: "vault", key: "k" }, payload: textPayload("x") };
    const message = encodeFrame({ kind: "request", ...call, metadata: {} });
    // More than a second's messages pass together, and those of later seconds with them.
    states.commit("teller/a", {
      mail: ["1", "2", "3", "4"].map((id) => ({ id, message })),
      events: [eventOn("t", "E")],
    });
    expect(await states.next()).toMatchObject({ outcome: { at: "committed" } });
    states.load("teller/a");
    const failure = await states.nextFailure();
    expect(failure).toMatchObject({ code: "overloaded", text: expect.stringMatching(/Try again in 750 ms\.$/) });
    time.advance(750);
    states.load("teller/a");
    expect(await states.next()).toMatchObject({ outcome: { at: "record" } });
    states.stream.cancel();
  });

  it("counts GetState and SaveState of AutoGen's workers as messages", async () => {
    const time = clock();
    await using rig = await started([{ principal: "bob", messagesPerSecond: 2 }], { clock: time });
    const bob = await joined(rig, "bob", "B");
    time.advance(1_000);
    await bob.register("teller");
    const agentId = { type: "teller", key: "a" };
    const state = encodeStoredState({ agentId, eTag: "", data: { kind: "text", text: "{}" } });
    await bob.unary("SaveState", state);
    await bob.unary("GetState", encodeAgentId(agentId));
    const refusal = { code: StatusCode.resourceExhausted, status: { metadata: { agretryms: "500" } } };
    await expect(bob.unary("SaveState", state)).rejects.toMatchObject(refusal);
    await expect(bob.unary("GetState", encodeAgentId(agentId))).rejects.toMatchObject(refusal);
    time.advance(500);
    await bob.unary("GetState", encodeAgentId(agentId));
  });

  it("stops asking who calls for an address whose callers it has refused too often", async () => {
    let asked = 0;
    const counting = functionAuthenticator(() => {
      asked += 1;
      return undefined;
    });
    const time = clock();
    await using rig = await started([{ address: "*", messagesPerSecond: 3 }], { authenticator: counting, clock: time });
    const attempt = async () => {
      const end = await new RawWorker(rig.dial("stranger"), "S", announced).open().ended;
      return end.by === "status" ? end.status : undefined;
    };
    for (let count = 0; count < 3; count += 1)
      expect(await attempt()).toMatchObject({ code: StatusCode.unauthenticated });
    expect(await attempt()).toMatchObject({ code: StatusCode.resourceExhausted, metadata: { agretryms: "334" } });
    expect(asked).toBe(3);
    time.advance(334);
    expect(await attempt()).toMatchObject({ code: StatusCode.unauthenticated });
    expect(asked).toBe(4);
  });

  it("keeps a tenth of the channels for principals that it knows, so that newcomers keep out newcomers", async () => {
    const time = clock();
    await using rig = await started([{ principal: "*", channels: 100 }], { clock: time, maxSessions: 10 });
    const known = await joined(rig, "known", "K");
    time.advance(60_000);
    known.stream.end();
    await known.ended;
    for (let count = 0; count < 9; count += 1) await joined(rig, `new-${count}`, `N${count}`);
    const late = await new RawWorker(rig.dial("late"), "L", announced).open().ended;
    expect(late).toMatchObject({ by: "status", status: { code: StatusCode.resourceExhausted } });
    await joined(rig, "known", "K");
  });
});

describe("a host with quotas of addresses, over gRPC", () => {
  const started = (quota: QuotaRule) =>
    startOverGrpc({ quotas: quotaRules([{ ...quota, address: "127.0.0.1" }]), heartbeatTimeoutMs: 0 });

  it("hangs up on connections of an address that has enough, and takes one when another has gone", async () => {
    await using rig = await started({ connections: 2 });
    const [first, second, third] = [rig.dial(), rig.dial(), rig.dial()];
    await first.ready();
    await second.ready();
    await expect(third.ready()).rejects.toMatchObject({ code: StatusCode.unavailable });
    expect(rig.host.counters()).toMatchObject({ refusedByQuota: 1, transport: { refusedConnections: 1 } });
    await first.close();
    await vi.waitFor(() => expect(rig.host.counters().transport.connections).toBe(1));
    await rig.dial().ready();
  });

  it("bounds the bytes that an address makes the host keep, also by its connections", async () => {
    await using rig = await started({ keptBytes: 200_000 });
    await rig.dial().ready();
    void Promise.allSettled(Array.from({ length: 8 }, () => rig.dial().ready()));
    await vi.waitFor(() => expect(rig.host.counters().transport.overloadedConnections).toBeGreaterThan(0));
    expect(rig.host.counters().refusedByQuota).toBeGreaterThan(0);
  });
});

it("refuses quotas with a text that says what is wrong", () => {
  const refuse = (quota: object, text: RegExp) =>
    // A user of JavaScript may write anything.
    expect(() => quotaRules([quota as QuotaRule])).toThrow(text);
  refuse({ principal: "*", messagePerSecond: 1 }, /unknown field "messagePerSecond". Did you mean messagesPerSecond/);
  refuse({ principal: "*", messagesPerSecond: 0 }, /must be a whole number from 1 to 1125899906842624\./);
  refuse({ messagesPerSecond: 1 }, /it is for nothing/);
  refuse({ principal: "*", address: "*", calls: 1 }, /names an address beside/);
  refuse({ principal: "*" }, /it limits nothing/);
  refuse({ principal: "*", connections: 1 }, /connections is for addresses alone/);
});
