import { describe, expect, it } from "vitest";
import { parseEpoch } from "../../../src/core/internal.ts";
import type { HostOccurrence } from "../../../src/host/index.ts";
import type { ClaimedAgent } from "../../../src/protocol/index.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { hostTransports } from "../../support/host-transports.ts";
import {
  agentOf,
  askLeave,
  giveBack,
  type Request,
  requests,
  roomWorker,
  startRooms,
} from "../../support/leaving-rooms.ts";
import { RawWorker } from "../../support/raw-worker.ts";

describe("an agent that leaves its worker, at the host", () => {
  it("leaves by ask, leave and left; what came meanwhile waits and keeps its order [L2 L3 L7]", async () => {
    const claims: string[] = [];
    const observer = (what: HostOccurrence) => void (what.at === "claim" && claims.push(what.what));
    await using world = await startRooms({ observer });
    const { rig, holder, other, caller, first, agent } = world;
    expect(await askLeave(holder, agent, "asked")).toEqual([
      { kind: "leave", agents: [agent], reason: "asked", graceMs: 0 },
    ]);
    caller.request("second", "room/k");
    caller.publish("news", "k", "E1");
    caller.request("third", "room/k");
    await caller.settled();
    expect([await holder.settled(), await other.settled()]).toEqual([[], []]);
    expect(rig.host.counters()).toMatchObject({ leavingAgents: 1, heldMessages: 3 });
    giveBack(holder, agent, first);
    holder.send({ kind: "left", agents: [agent] });
    const frames = [...(await holder.settled()), ...(await other.settled())];
    expect(frames.map((frame) => (frame.kind === "event" ? frame.event.id : "call"))).toEqual([
      "call",
      "call",
      "E1",
      "call",
    ]);
    const [again, second, event, third] = frames;
    if (again?.kind !== "request" || event?.kind !== "event") throw new Error("other frames came");
    expect(again.requestId).toBe(first.requestId);
    const epoch = parseEpoch(again.metadata.agepoch ?? "");
    expect(epoch.number).toBeGreaterThan(agent.epoch.number);
    expect(requests([second, third].flatMap((one) => one ?? [])).map(({ metadata }) => metadata.agepoch)).toEqual([
      again.metadata.agepoch,
      again.metadata.agepoch,
    ]);
    expect(event.event.attributes.agfor).toBe(`!room=${again.metadata.agepoch}`);
    expect(rig.host.counters()).toMatchObject({ leavingAgents: 0, heldMessages: 0, returnedMessages: 1, claims: 1 });
    expect(claims).toEqual(["made", "given", "made"]);
  });

  it("stays where a message came meanwhile, and gets it under the same epoch [L8]", async () => {
    await using world = await startRooms();
    const { rig, holder, caller, first, agent } = world;
    holder.respond(first.requestId, "done");
    await askLeave(holder, agent);
    caller.request("second", "room/k");
    await caller.settled();
    holder.send({ kind: "stay", agents: [agent] });
    const [second] = requests(await holder.settled());
    expect(second?.metadata.agepoch).toBe(first.metadata.agepoch);
    expect(rig.host.counters()).toMatchObject({ leavingAgents: 0, heldMessages: 0, unmatchedReturns: 0 });
  });

  it("gets a call that one of its turns waits for, though it leaves [L3]", async () => {
    await using world = await startRooms();
    const { rig, holder, caller, agent } = world;
    await askLeave(holder, agent, "asked");
    const nested = await new RawWorker(rig.dial(), "N", { isAnnounced: true, metadata: { agcaps: "turns" } }).join();
    nested.request("inner", "room/k", { metadata: { agpath: "h1-1@room/k,h1-2@audit/x" } });
    caller.request("outer", "room/k", { metadata: { agpath: "h1-1@desk/k" } });
    await nested.settled();
    await caller.settled();
    const [inner] = requests(await holder.settled());
    expect(inner?.metadata).toMatchObject({ agpath: "h1-1@room/k,h1-2@audit/x" });
    expect(rig.host.counters().heldMessages).toBe(1);
  });

  it("moves when its worker is lost: what was given back and what waited is placed anew, what ran has failed [L12]", async () => {
    await using world = await startRooms();
    const { holder, other, caller, first, agent } = world;
    caller.request("second", "room/k");
    await caller.settled();
    const [second] = requests(await holder.settled());
    if (second === undefined) throw new Error("no second call");
    await askLeave(holder, agent, "asked");
    giveBack(holder, agent, second);
    caller.request("third", "room/k");
    await caller.settled();
    await holder.settled();
    holder.stream.cancel();
    const failed = await caller.nextResponse();
    expect([failed.requestId, failed.metadata.agerrorcode]).toEqual(["first", "disconnected"]);
    expect(first.requestId).not.toBe(second.requestId);
    const [again] = requests([await other.next()]);
    expect(again?.requestId).toBe(second.requestId);
    expect((await other.nextRequest()).metadata.agepoch).toBe(again?.metadata.agepoch);
  });

  it("is asked to leave by the host where a message comes back without an ask [L6]", async () => {
    await using world = await startRooms();
    const { holder, first, agent } = world;
    giveBack(holder, agent, first, "conflict");
    expect(await holder.settled()).toEqual([{ kind: "leave", agents: [agent], reason: "failed", graceMs: 0 }]);
  });

  it("is tried again once after a conflict; then its call fails as state-conflict [L13]", async () => {
    await using world = await startRooms();
    const { rig, holder, other, caller, first, agent } = world;
    const workers = [holder, other];
    let [at, call, claimed]: [RawWorker, Request, ClaimedAgent] = [holder, first, agent];
    for (const isLast of [false, true]) {
      await askLeave(at, claimed, "stale");
      giveBack(at, claimed, call, "conflict");
      at.send({ kind: "left", agents: [claimed] });
      await at.settled();
      if (isLast) break;
      for (const one of workers) {
        const [next] = requests(await one.settled());
        if (next !== undefined) [at, call, claimed] = [one, next, agentOf(next)];
      }
    }
    const answer = await caller.nextResponse();
    expect(answer.metadata).toMatchObject({ agerrorcode: "state-conflict" });
    expect(answer.metadata.agnothandled).toBeUndefined();
    expect(rig.host.counters()).toMatchObject({ returnedMessages: 1, leavingAgents: 0 });
  });

  it("fails a call that five moves have given back as undeliverable [L13]", async () => {
    await using world = await startRooms();
    const { holder, other, caller, first, agent } = world;
    let [at, call, claimed]: [RawWorker, Request, ClaimedAgent] = [holder, first, agent];
    for (let moves = 0; moves < 6; moves += 1) {
      await askLeave(at, claimed, "asked");
      giveBack(at, claimed, call);
      at.send({ kind: "left", agents: [claimed] });
      await at.settled();
      if (moves === 5) break;
      for (const one of [holder, other]) {
        const [next] = requests(await one.settled());
        if (next !== undefined) [at, call, claimed] = [one, next, agentOf(next)];
      }
    }
    const { error, metadata } = await caller.nextResponse();
    expect(error).toContain("moved too often");
    expect(metadata).toMatchObject({ agerrorcode: "undeliverable", agnothandled: "1" });
  });

  it("goes to a worker of a higher version if its state is too new; without one the call fails [L14]", async () => {
    await using world = await startRooms({ versionPolicy: "any" }, [{ agversion: "1" }, { agversion: "1" }]);
    const { rig, holder, other, caller, first, agent } = world;
    const newer = await roomWorker(rig, "N", { agversion: "2" });
    giveBack(holder, agent, first, "unfit");
    holder.send({ kind: "left", agents: [agent] });
    await holder.settled();
    const [moved] = requests(await newer.settled());
    expect(moved?.requestId).toBe(first.requestId);
    expect(requests(await other.settled())).toEqual([]);
    if (moved === undefined) return;
    giveBack(newer, agentOf(moved), moved, "unfit");
    newer.send({ kind: "left", agents: [agentOf(moved)] });
    await newer.settled();
    expect((await caller.nextResponse()).metadata.agerrorcode).toBe("state-too-new");
  });

  it("of a worker that stops leaves for others, and the worker hears when it has none left [L9]", async () => {
    await using world = await startRooms();
    const { rig, holder, other, caller, first, agent } = world;
    holder.send({ kind: "leaving-worker", graceMs: 700 });
    const [leave] = await holder.settled();
    expect(leave).toMatchObject({ kind: "leave", agents: [agent], reason: "draining" });
    expect(leave?.kind === "leave" && leave.graceMs).toBeLessThanOrEqual(700);
    for (let at = 0; at < 8; at += 1) caller.request(`new-${at}`, `room/new-${at}`);
    await caller.settled();
    expect(requests(await other.settled())).toHaveLength(8);
    giveBack(holder, agent, first);
    holder.send({ kind: "left", agents: [agent] });
    expect(await holder.settled()).toEqual([{ kind: "leave", agents: [], reason: "draining", graceMs: 0 }]);
    expect(requests(await other.settled()).map(({ requestId }) => requestId)).toEqual([first.requestId]);
    const { workers } = await rig.host.inspect();
    const shown = workers.map(({ workerId, isDraining, claims, outstanding }) => ({
      workerId,
      isDraining,
      claims,
      outstanding,
    }));
    expect(shown).toContainEqual({
      workerId: `worker-${holder.clientId}`,
      isDraining: true,
      claims: 0,
      outstanding: 0,
    });
    expect(shown).toContainEqual({
      workerId: `worker-${other.clientId}`,
      isDraining: false,
      claims: 9,
      outstanding: 9,
    });
  });

  it("is taken from a worker whose time is over: calls there fail, what waited goes on elsewhere [L10]", async () => {
    const clock = new ManualClock();
    await using world = await startRooms({ clock, drainGraceMs: 5_000, heartbeatTimeoutMs: 0 });
    const { rig, holder, other, caller, first, agent } = world;
    holder.send({ kind: "leaving-worker", graceMs: 0 });
    expect(await holder.settled()).toEqual([{ kind: "leave", agents: [agent], reason: "draining", graceMs: 5_000 }]);
    caller.request("second", "room/k");
    await caller.settled();
    clock.advance(5_000);
    const failed = await caller.nextResponse();
    expect([failed.requestId, failed.metadata.agerrorcode, failed.metadata.agnothandled]).toEqual([
      "first",
      "shutting-down",
      undefined,
    ]);
    expect(await holder.settled()).toEqual([
      { kind: "cancel", requestId: first.requestId, reason: "cancelled" },
      { kind: "leave", agents: [], reason: "draining", graceMs: 0 },
    ]);
    expect(requests(await other.settled())).toHaveLength(1);
    holder.send({ kind: "left", agents: [agent] });
    giveBack(holder, agent, first);
    await holder.settled();
    expect(rig.host.counters()).toMatchObject({ revokedClaims: 1, unmatchedReturns: 2, claims: 1 });
    // It waits for an answer, and the agent that another worker has by now stays there.
    expect(await askLeave(holder, agent, "asked")).toEqual([
      { kind: "leave", agents: [agent], reason: "asked", graceMs: 0 },
    ]);
    holder.send({ kind: "left", agents: [agent] });
    expect(await holder.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ unmatchedReturns: 4, leavingAgents: 0, claims: 1 });
  });

  it("leaves a worker that an operator drains; drainWorker says how it ended [L11]", async () => {
    const clock = new ManualClock();
    await using world = await startRooms({ clock, heartbeatTimeoutMs: 0 });
    const { rig, holder, first, agent } = world;
    const outcome = rig.host.drainWorker(`worker-${holder.clientId}`, { graceMs: 60_000 });
    const [drain, leave] = await holder.settled();
    expect(drain).toEqual({ kind: "drain", graceMs: 60_000 });
    expect(leave).toMatchObject({ kind: "leave", agents: [agent], reason: "draining" });
    holder.send({ kind: "leaving-worker", graceMs: 1 });
    giveBack(holder, agent, first);
    holder.send({ kind: "left", agents: [agent] });
    expect(await outcome).toEqual({ at: "drained", leftAgents: 1, revokedAgents: 0, hasAnswered: true });
    expect(await rig.host.drainWorker("nobody")).toEqual({ at: "unknown" });
    await expect(rig.host.drainWorker("x", { graceMs: -1 })).rejects.toMatchObject({ code: "invalid-argument" });
  });

  it("of a stock worker is not moved, and the operator hears that", async () => {
    const [transport] = hostTransports;
    if (transport === undefined) throw new Error("there is no transport");
    await using rig = await transport.start({ sharedTypes: ["room"] });
    const [one, two] = [await new RawWorker(rig.dial(), "P").join(), await new RawWorker(rig.dial(), "Q").join()];
    for (const stock of [one, two]) await stock.register("room");
    const caller = await new RawWorker(rig.dial(), "C").join();
    const whoGets = async (key: string) => {
      caller.request(key, `room/${key}`);
      await caller.settled();
      const [ofOne, ofTwo] = [await one.settled(), await two.settled()];
      return [...ofOne.map(() => one), ...ofTwo.map(() => two)];
    };
    const [known] = await whoGets("known");
    expect(await rig.host.drainWorker(known?.clientId ?? "")).toEqual({ at: "keeps-agents" });
    expect(await whoGets("known")).toEqual([known]);
    for (let at = 0; at < 8; at += 1) expect(await whoGets(`new-${at}`)).toEqual([known === one ? two : one]);
  });

  it("with which three workers were lost gets no messages for a minute [L15]", async () => {
    const clock = new ManualClock();
    const newer = { agversion: "2" };
    await using world = await startRooms({ clock, heartbeatTimeoutMs: 0 }, [newer, newer]);
    const { rig, holder, other, caller } = world;
    const third = await roomWorker(rig, "D", newer);
    // Gets agents only when no newer worker is left.
    const fresh = await roomWorker(rig, "E", { agversion: "1" });
    const left = new Set([holder, other, third]);
    let at: RawWorker | undefined = holder;
    for (let losses = 0; losses < 3 && at !== undefined; losses += 1) {
      left.delete(at);
      at.stream.cancel();
      expect((await caller.nextResponse()).metadata.agerrorcode).toBe("disconnected");
      if (losses === 2) break;
      caller.request("again", "room/k");
      await caller.settled();
      at = undefined;
      for (const one of left) if (requests(await one.settled()).length > 0) at = one;
    }
    caller.request("more", "room/k");
    const refused = await caller.nextResponse();
    expect(refused.error).toContain("3 workers were lost");
    expect(refused.metadata).toMatchObject({ agerrorcode: "undeliverable", agnothandled: "1" });
    caller.request("others", "room/other");
    expect((await fresh.nextRequest()).target?.key).toBe("other");
    expect(rig.host.counters().quarantinedAgents).toBe(1);
    clock.advance(60_000);
    caller.request("later", "room/k");
    expect((await fresh.nextRequest()).target?.key).toBe("k");
  });

  it("gets messages though three workers that had calls for it have left in order [L15]", async () => {
    await using world = await startRooms({ heartbeatTimeoutMs: 0 });
    const { rig, caller } = world;
    const last = await roomWorker(rig, "D");
    const next = await roomWorker(rig, "E");
    const left = new Set([world.holder, world.other, last, next]);
    let at: RawWorker | undefined = world.holder;
    for (let ends = 0; ends < 3 && at !== undefined; ends += 1) {
      left.delete(at);
      at.stream.end();
      await caller.nextResponse();
      caller.request(`again ${ends}`, "room/k");
      await caller.settled();
      at = undefined;
      for (const one of left) if (requests(await one.settled()).length > 0) at = one;
    }
    expect([left.size, at]).toEqual([1, [...left][0]]);
    expect(rig.host.counters().quarantinedAgents).toBe(0);
  });

  it("takes nothing from workers that say what is not theirs [L1 L6]", async () => {
    await using world = await startRooms();
    const { rig, holder, other, first, agent, caller } = world;
    other.send({ kind: "left", agents: [agent] });
    other.send({ kind: "stay", agents: [agent] });
    const answer = { kind: "leave", reason: "idle", graceMs: 0 };
    expect(await askLeave(other, agent)).toEqual([{ ...answer, agents: [agent] }]);
    giveBack(other, agent, first);
    const later = { ...agent, epoch: { ...agent.epoch, number: 999 } };
    expect(await askLeave(holder, later)).toEqual([{ ...answer, agents: [later] }]);
    const payload = { typeName: "T", contentType: "text/plain", data: new Uint8Array(1_000) };
    giveBack(holder, agent, { ...first, payload });
    giveBack(holder, { ...agent, key: "x" }, { ...first, target: { type: "room", key: "x" } });
    const event = { id: "F", topicType: "news", topicSource: "k", sender: undefined, attributes: {}, payload };
    giveBack(holder, agent, { kind: "event", event });
    giveBack(holder, agent, {
      kind: "event",
      event: { ...event, topicSource: "x", attributes: { agfor: `room=1.1.1` } },
    });
    const stock = await new RawWorker(rig.dial(), "S").join();
    stock.send({ kind: "left", agents: [agent] });
    stock.send({ kind: "leaving-worker", graceMs: 0 });
    expect(await askLeave(stock, agent)).toEqual([]);
    expect(await holder.settled()).toEqual([]);
    expect(rig.host.counters()).toMatchObject({ unmatchedReturns: 9, emptyFrames: 3, leavingAgents: 0, claims: 1 });
    holder.respond(first.requestId, "done");
    expect((await caller.nextResponse()).requestId).toBe("first");
  });

  it("holds at most 1,000 messages, of one address two thirds; further calls are overloaded, further events dropped [L13]", async () => {
    await using world = await startRooms();
    const { rig, holder, caller, agent } = world;
    await askLeave(holder, agent, "asked");
    for (let at = 0; at < 667; at += 1) caller.request(`${at}`, "room/k");
    caller.publish("news", "k", "E1");
    caller.request("more", "room/k");
    const refused = await caller.nextResponse();
    expect([refused.requestId, refused.metadata.agerrorcode, refused.metadata.agnothandled]).toEqual([
      "more",
      "overloaded",
      "1",
    ]);
    expect(rig.host.counters()).toMatchObject({ heldMessages: 667, droppedEvents: 1 });
    caller.stream.cancel();
    await holder.takeOver("somebody");
    for (let left = 1; left > 0; left = rig.host.counters().heldMessages) await new Promise(setImmediate);
    expect(rig.host.counters().pendingCalls).toBe(0);
  });

  it("is one of at most 10,000 of its worker that leave at once [L2]", async () => {
    await using world = await startRooms();
    const { rig, holder, other, caller } = world;
    const claimed: ClaimedAgent[] = [];
    other.stream.cancel();
    for (let lot = 0; lot < 22; lot += 1) {
      for (let at = 0; at < 500; at += 1) caller.publish("news", `${lot}-${at}`);
      await caller.settled();
      for (const frame of await holder.settled()) {
        if (frame.kind !== "event") continue;
        const epoch = parseEpoch(frame.event.attributes.agfor?.replace(/^!?room=/, "") ?? "");
        claimed.push({ type: "room", key: frame.event.topicSource, epoch });
      }
    }
    expect(claimed.length).toBeGreaterThan(10_500);
    for (let from = 0; from < claimed.length; from += 1_000) {
      holder.send({ kind: "ask-leave", agents: claimed.slice(from, from + 1_000), reason: "idle" });
    }
    const told = (await holder.settled()).flatMap((frame) => (frame.kind === "leave" ? frame.agents : []));
    expect([told.length, rig.host.counters().leavingAgents]).toEqual([10_000, 10_000]);
    for (let from = 0; from < told.length; from += 1_000) {
      holder.send({ kind: "left", agents: told.slice(from, from + 1_000) });
    }
    for (let left = 1; left > 0; left = rig.host.counters().leavingAgents) await new Promise(setImmediate);
    expect(rig.host.counters().claims).toBe(claimed.length + 1 - 10_000);
  });
});
