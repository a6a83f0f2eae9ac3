import { describe, expect, it } from "vitest";
import { encodeFrame } from "../../../../src/protocol/internal.ts";
import { MemoryStateStore } from "../../../../src/storage/index.ts";
import { GatedStore } from "../../../support/gated-store.ts";
import { type HostRig, hostTransports } from "../../../support/host-transports.ts";
import { answerTo, eventOn, namesStates, RawStates } from "../../../support/raw-states.ts";
import { RawWorker, textOf } from "../../../support/raw-worker.ts";

async function startServer(rig: HostRig, clientId = "S", type = "counter") {
  const server = await new RawWorker(rig.dial(), clientId, namesStates).join();
  await server.register(type);
  return { server, states: new RawStates(server.link, clientId) };
}

/** A store that keeps no mailboxes. */
function loglessStore(): MemoryStateStore {
  return Object.defineProperty(new MemoryStateStore(), "log", { value: undefined });
}

function callTo(agent: string): Uint8Array {
  const [type = "", key = ""] = agent.split("/");
  const call = { kind: "request", requestId: "", source: undefined, target: { type, key } } as const;
  return encodeFrame({ ...call, payload: undefined, metadata: {} });
}

describe.each(hostTransports)("the stream of states over $name", ({ start }) => {
  it("gives back what was committed, to the byte, and says when nothing has changed", async () => {
    await using rig = await start();
    const { states } = await startServer(rig);
    states.load("counter/a");
    expect((await states.next()).outcome).toEqual({ at: "nothing" });
    const data = Uint8Array.from({ length: 256 }, (_, at) => at);
    states.commit("counter/a", { write: { at: "put", schemaVersion: 7, contentType: "x/y", data } });
    const { outcome } = await states.next();
    const eTag = "eTag" in outcome ? (outcome.eTag ?? "") : "";
    states.load("counter/a");
    const loaded = (await states.next()).outcome;
    expect(loaded).toMatchObject({ at: "record", record: { eTag, revision: 1, schemaVersion: 7, contentType: "x/y" } });
    expect("record" in loaded && new Uint8Array(loaded.record.data)).toEqual(data);
    states.load("counter/a", eTag);
    expect((await states.next()).outcome).toEqual({ at: "unchanged" });
    states.commit("counter/a", { expected: { at: "version", eTag }, write: { at: "delete" } });
    expect((await states.next()).outcome).toMatchObject({ at: "committed", eTag: "" });
    expect(rig.host.counters()).toMatchObject({ loads: 3, commits: 2 });
  });

  it("saves what a worker's turn has changed while the worker changes its connection", async () => {
    await using rig = await start({ stateStore: new MemoryStateStore() });
    const open = (clientId: string, agworker: string) =>
      new RawWorker(rig.dial(), clientId, { isAnnounced: true, metadata: { agcaps: "states", agworker } }).join();
    const older = await open("A1", "worker-A");
    await older.register("counter");
    // Types stay with the older channel as long as a call runs there.
    const newer = await open("A2", "worker-A");
    const states = new RawStates(newer.link, "A2");
    states.load("counter/a");
    expect((await states.next()).outcome).toEqual({ at: "nothing" });
    states.commit("counter/a");
    expect((await states.next()).outcome).toMatchObject({ at: "committed" });
    const other = await open("O", "worker-O");
    const others = new RawStates(other.link, "O");
    others.commit("counter/a");
    expect(await others.nextFailure()).toMatchObject({ code: "not-authorized" });
  });

  it.each(["says that it leaves", "is lost"])(
    "goes on for exclusive types before the worker has registered them anew, when its older channel %s",
    async (how) => {
      await using rig = await start({ stateStore: new MemoryStateStore() });
      const open = (clientId: string, agworker: string) =>
        new RawWorker(rig.dial(), clientId, { isAnnounced: true, metadata: { agcaps: "states", agworker } }).join();
      const older = await open("A1", "worker-A");
      await older.register("counter");
      const newer = await open("A2", "worker-A");
      const states = new RawStates(newer.link, "A2");
      if (how === "is lost") older.stream.cancel();
      else older.send({ kind: "leaving", graceMs: 0 });
      await expect.poll(() => rig.host.counters().agentTypes).toBe(0);
      states.commit("counter/a");
      expect((await states.next()).outcome).toMatchObject({ at: "committed" });
      // A further change comes before the worker has registered the type.
      const third = await open("A3", "worker-A");
      newer.stream.cancel();
      await states.ended;
      const later = new RawStates(third.link, "A3");
      later.load("counter/a");
      expect((await later.next()).outcome).toMatchObject({ at: "record" });
      later.load("nobody/a");
      expect(await later.nextFailure()).toMatchObject({ code: "not-authorized" });
      const other = await open("O", "worker-O");
      const others = new RawStates(other.link, "O");
      others.load("counter/a");
      expect(await others.nextFailure()).toMatchObject({ code: "not-authorized" });
      await other.register("counter");
      later.load("counter/a");
      expect(await later.nextFailure()).toMatchObject({ code: "not-authorized" });
    },
  );

  it("refuses loads and commits for agents of a type that another worker serves, and of one that nobody serves", async () => {
    const stateStore = new MemoryStateStore();
    await using rig = await start({ stateStore });
    await startServer(rig);
    const { states } = await startServer(rig, "O", "other");
    const remembered = { kind: "remembered", id: "k", principal: "" } as const;
    for (const type of ["counter", "nobody"]) {
      states.load(`${type}/a`);
      states.commit(`${type}/a`, { events: [eventOn("news", "E1")] });
      states.ask({ kind: "reminders" }, `${type}/a`);
      states.ask(remembered, `${type}/a`);
      for (let asked = 4; asked > 0; asked -= 1) {
        const text = `This worker does not serve the agent type "${type}". Register the type first.`;
        expect(await states.nextFailure()).toEqual({ at: "failed", code: "not-authorized", text });
      }
    }
    expect((await stateStore.stats()).records).toBe(0);
    expect(rig.host.counters().events).toBe(0);
  });

  it("takes no epoch for an exclusive type, for which the host sets its own", async () => {
    await using rig = await start();
    const { states } = await startServer(rig);
    states.commit("counter/a", { epoch: { generation: 2 ** 50, era: 0, number: 0 } });
    expect(await states.nextFailure()).toMatchObject({ code: "invalid-argument" });
  });

  it("keeps what an agent has handled", async () => {
    await using rig = await start();
    const { states } = await startServer(rig);
    const answer = Uint8Array.of(1, 2, 3);
    states.commit("counter/a", { remembered: [{ id: "k", principal: "ada", answer }] });
    expect((await states.next()).outcome.at).toBe("committed");
    states.ask({ kind: "remembered", id: "k", principal: "ada" }, "counter/a");
    const { outcome } = await states.next();
    expect("answer" in outcome && new Uint8Array(outcome.answer ?? [])).toEqual(answer);
    states.ask({ kind: "remembered", id: "k", principal: "eve" }, "counter/a");
    expect((await states.next()).outcome).toEqual({ at: "nothing" });
    states.ask({ kind: "reminders" }, "counter/a");
    expect((await states.next()).outcome).toEqual({ at: "listed", reminders: [] });
  });

  it("says that it fires no reminders and delivers no mail if its store has no log, and does not name mail then", async () => {
    await using rig = await start({ stateStore: loglessStore() });
    const { server, states } = await startServer(rig);
    expect((await server.responseMetadata()).agcaps).toBe("heartbeat,turns,states,claims,streams,runs");
    const message = callTo("t/k");
    states.commit("counter/b", { mail: [{ id: "m", message }] });
    states.commit("counter/b", { reminders: [{ at: "set", name: "r", dueMs: 1, rule: "", message }] });
    expect(await states.nextFailure()).toMatchObject({
      code: "not-accessible",
      text: "This host delivers no mail for its workers.",
    });
    expect(await states.nextFailure()).toMatchObject({ code: "not-accessible", text: "This host fires no reminders." });
  });

  it("refuses reminders that no worker of Troupe's would set", async () => {
    const stateStore = new MemoryStateStore();
    await using rig = await start({ stateStore });
    const { states } = await startServer(rig);
    const dueMs = Date.now() + 60_000;
    const rule = { repeats: { at: "once" }, missed: "once", dueMs, tick: 1, unfired: 0, waits: 0 };
    const good = { at: "set", name: "r", dueMs, rule: JSON.stringify(rule), message: callTo("counter/b") } as const;
    const every = JSON.stringify({ ...rule, repeats: { at: "every", periodMs: 999 } });
    const cron = JSON.stringify({ ...rule, repeats: { at: "cron", pattern: "* * * * *", timeZone: "UTC" } });
    const wrong = [
      { ...good, message: callTo("counter/c") },
      { ...good, message: eventOn("news", "E1") },
      { ...good, name: "" },
      { ...good, name: "troupe.own" },
      { ...good, name: "n".repeat(257) },
      { ...good, rule: "{}" },
      { ...good, rule: " ".repeat(5_000) },
      { ...good, dueMs: dueMs + 1 },
      { ...good, rule: every },
      { ...good, rule: cron },
    ];
    for (const reminder of wrong) states.commit("counter/b", { reminders: [reminder] });
    for (const _ of wrong) {
      expect(await states.nextFailure()).toMatchObject({ code: expect.stringMatching(/^invalid-(message|argument)$/) });
    }
    states.commit("counter/b", { reminders: [good] });
    expect((await states.next()).outcome.at).toBe("committed");
    expect((await stateStore.stats()).reminders).toBe(1);
  });

  it("lists 1,000 reminders with long messages, which it leaves out", async () => {
    await using rig = await start({});
    const { states } = await startServer(rig);
    const dueMs = Date.now() + 86_400_000;
    const rule = JSON.stringify({ repeats: { at: "once" }, missed: "once", dueMs, tick: 1, unfired: 0, waits: 0 });
    const message = encodeFrame({
      ...{ kind: "request", requestId: "", source: undefined, target: { type: "counter", key: "a" }, metadata: {} },
      payload: { typeName: "T", contentType: "application/json", data: new Uint8Array(60_000) },
    });
    const named = (at: number) => ({ at: "set", name: `${at}`, dueMs, rule, message }) as const;
    for (let from = 0; from < 1_000; from += 50) {
      const reminders = Array.from({ length: 50 }, (_, at) => named(from + at));
      states.commit("counter/a", { expected: { at: "anything" }, reminders });
      expect((await states.next()).outcome).toMatchObject({ at: "committed" });
    }
    states.ask({ kind: "reminders" }, "counter/a");
    const { outcome } = await states.next();
    const listed = outcome.at === "listed" && "reminders" in outcome ? outcome.reminders : [];
    expect(listed.length).toBe(1_000);
    expect(listed[0]).toMatchObject({ name: "0", dueMs, rule, message: new Uint8Array() });
  });

  it("refuses a commit that carries anything but answers and events, before the store sees it", async () => {
    const stateStore = new MemoryStateStore();
    await using rig = await start({ stateStore });
    const { states } = await startServer(rig);
    const cancel = encodeFrame({ kind: "cancel", requestId: "1", reason: "cancelled" });
    for (const parts of [{ answers: [eventOn("news", "E1")] }, { events: [answerTo({ requestId: "1" }, "x")] }]) {
      states.commit("counter/a", parts);
      expect(await states.nextFailure()).toMatchObject({ code: "invalid-message" });
    }
    states.commit("counter/a", { answers: [cancel] });
    states.commit("counter/a", { events: [Uint8Array.of(0xff, 0xff)] });
    expect(await states.nextFailure()).toMatchObject({ code: "invalid-message" });
    expect(await states.nextFailure()).toMatchObject({ code: "invalid-message" });
    states.commit("counter/a", { events: Array.from({ length: 10_001 }, () => eventOn("news", "E")) });
    expect(await states.nextFailure()).toMatchObject({
      code: "invalid-message",
      text: expect.stringContaining("10000 fields"),
    });
    expect((await stateStore.stats()).records).toBe(0);
  });

  it("ends the stream at an ask without a number, and answers no ask for ever", async () => {
    await using rig = await start();
    const { states } = await startServer(rig);
    states.stream.send(Uint8Array.of(0xff, 0xff, 0xff));
    expect(await states.ended).toMatchObject({ by: "status", status: { code: 3 } });
    expect(rig.host.counters().badFrames).toBe(1);
  });

  it("answers heartbeats, and passes what it does not know by", async () => {
    await using rig = await start();
    const { states } = await startServer(rig);
    states.send({ kind: "empty" });
    states.send({ kind: "heartbeat", seq: 5, isAnswer: false, leaseMs: 0 });
    expect(await states.answers.take()).toEqual({ kind: "heartbeat", seq: 5, isAnswer: true, leaseMs: 0 });
    expect(rig.host.counters().emptyFrames).toBe(1);
  });

  it("opens only beside a data channel that names states", async () => {
    await using rig = await start();
    const plain = await new RawWorker(rig.dial(), "P", { isAnnounced: true }).join();
    for (const clientId of ["P", "nobody"]) {
      const { ended } = new RawStates(plain.link, clientId);
      expect(await ended).toMatchObject({ by: "status", status: { code: 9 } });
    }
  });

  it("is replaced by a newer one of the same worker, and what it had asked is still written", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const { server, states } = await startServer(rig);
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "counter/a");
    const call = await server.nextRequest();
    states.commit("counter/a", { answers: [answerTo(call, "one")] });
    const held = await stateStore.commits.take();
    const newer = new RawStates(server.link, "S");
    expect(await states.ended).toMatchObject({ by: "status", status: { code: 10 } });
    newer.load("counter/a");
    held.write();
    expect(textOf(await caller.nextResponse())).toBe("one");
    // The load waited for the commit before it.
    expect((await newer.next()).outcome).toMatchObject({ at: "record", record: { revision: 1 } });
  });

  it("ends with the data channel", async () => {
    await using rig = await start();
    const { server, states } = await startServer(rig);
    server.stream.end();
    expect(await states.ended).toMatchObject({ by: "status", status: { code: 0 } });
  });

  it("lets a worker that leaves write what its last calls have changed", async () => {
    await using rig = await start();
    const { server, states } = await startServer(rig);
    const caller = await new RawWorker(rig.dial(), "C").join();
    caller.request("1", "counter/a");
    const call = await server.nextRequest();
    server.send({ kind: "leaving", graceMs: 5_000 });
    await server.settled();
    states.commit("counter/a", { answers: [answerTo(call, "last")] });
    expect(textOf(await caller.nextResponse())).toBe("last");
    expect((await states.next()).outcome.at).toBe("committed");
  });

  it("does the asks of one agent in their order, and those of others meanwhile", async () => {
    const stateStore = new GatedStore();
    await using rig = await start({ stateStore });
    const { states } = await startServer(rig);
    states.commit("counter/a");
    const loadOfSame = states.load("counter/a");
    const loadOfOther = states.load("counter/b");
    const held = await stateStore.commits.take();
    expect((await states.next()).seq).toBe(loadOfOther);
    held.write();
    expect((await states.next()).outcome.at).toBe("committed");
    expect(await states.next()).toMatchObject({ seq: loadOfSame, outcome: { at: "record" } });
  });

  it("tells the observer of each commit, and of the stream", async () => {
    const seen: unknown[] = [];
    await using rig = await start({ observer: (what) => seen.push(what) });
    const { states } = await startServer(rig);
    states.commit("counter/a");
    states.commit("counter/a");
    await states.next();
    await states.next();
    expect(seen).toContainEqual(
      expect.objectContaining({ at: "session", what: "opened", channel: "states", clientId: "S" }),
    );
    const commit = {
      at: "commit",
      clientId: "S",
      agentType: "counter",
      key: expect.any(String),
      bytes: 11,
      ms: expect.any(Number),
    };
    expect(seen).toContainEqual({ ...commit, outcome: "committed" });
    expect(seen).toContainEqual({ ...commit, outcome: "conflict" });
  });

  it("shows what an agent keeps to a stock client, whose own save makes the next commit a conflict", async () => {
    await using rig = await start();
    const { server, states } = await startServer(rig);
    states.commit("counter/a");
    const { outcome } = await states.next();
    const { encodeStoredState } = await import("../../../../src/protocol/internal.ts");
    const agentId = { type: "counter", key: "a" };
    await server.unary("SaveState", encodeStoredState({ agentId, eTag: "", data: { kind: "text", text: "{}" } }));
    const eTag = "eTag" in outcome ? (outcome.eTag ?? "") : "";
    states.commit("counter/a", { expected: { at: "version", eTag } });
    expect((await states.next()).outcome.at).toBe("conflict");
  });
});

describe("the stream of states of principals", () => {
  it("belongs to the principal of the data channel", async () => {
    const [, grpc] = hostTransports;
    await using rig = await grpc?.start({ authorize: ({ metadata }) => ({ name: metadata.who ?? "ada" }) });
    if (rig === undefined) throw new Error("no host");
    const { server } = await startServer(rig);
    const link = rig.dial();
    const { states } = await import("../../../../src/protocol/internal.ts");
    const end = await new Promise((resolve) => {
      const receiver = { onFrame() {}, onHalfClose() {}, onBadFrame() {}, onDrain() {}, onEnd: resolve };
      link.openStream(states.path, receiver, { metadata: { "client-id": "S", who: "eve" } });
    });
    expect(end).toMatchObject({ by: "status", status: { code: 7 } });
    const own = new RawStates(server.link, "S");
    own.load("counter/a");
    expect((await own.next()).outcome.at).toBe("nothing");
  });
});
