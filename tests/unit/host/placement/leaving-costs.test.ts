import { describe, expect, it } from "vitest";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { limits } from "../../../../src/host/limits.ts";
import type { HeldMessage } from "../../../../src/host/placement/moving-agent.ts";
import { SoloDirectory } from "../../../../src/host/placement/solo-directory.ts";
import { TypeTable } from "../../../../src/host/placement/type-table.ts";
import type { Peer } from "../../../../src/host/sessions/peer.ts";
import { decodeFrame, type Frame, joinFrame } from "../../../../src/protocol/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { openPlacement } from "../../../support/open-placement.ts";
import { peerOf } from "../../../support/placed-peer.ts";

const sharing = { placement: undefined, requires: {} };

/** A worker that holds agents of the shared type `room`, and hears notices while `takes` is true. */
function openWorld() {
  const clock = new ManualClock();
  const owners: TypeTable = new TypeTable({
    onSharedGone: (type) => {
      parts.directory.typeGone(type);
      parts.leaving.typeGone(type);
    },
  });
  const heard: Frame[] = [];
  const line = { takes: true, offered: 0 };
  const send: Peer["send"] = (frame) => {
    line.offered += 1;
    if (!line.takes) return "full";
    heard.push(decodeFrame(joinFrame(frame)));
    return "queued";
  };
  const worker = { id: "W", name: "W", version: undefined, labels: {} };
  const channel = (id: string): Peer => peerOf(id, "worker's address", { worker, send });
  const peers = [channel("W")];
  const batches = new BatchRunner(clock);
  const directory = new SoloDirectory({ maxClaims: 10_000, batches, generation: () => 1 });
  const table = { of: (id: string) => peers.find((peer) => peer.id === id) };
  const parts = openPlacement({ clock, owners, peers: table, batches, directory });
  const [holder] = peers;
  if (holder === undefined) throw new Error("there is no worker");
  parts.placement.peerOpened(holder);
  owners.claim("room", "W", { sharing });
  const locate = (key: string) => {
    const type = owners.shared("room");
    if (type === undefined) throw new Error("the type is not shared");
    return parts.placement.locate(type, key, { caller: undefined, payer: undefined });
  };
  const leave = (count: number) => {
    for (let at = 0; at < count; at += 1) locate(`${at}`);
    const claims = parts.directory.claimsOf("W", count, () => false);
    parts.leaving.asked(holder, claims, "asked");
  };
  const said = () => heard.flatMap((frame) => (frame.kind === "leave" ? frame.agents.map(({ key }) => key) : []));
  return { ...parts, batches, clock, owners, holder, channel, line, heard, locate, leave, said };
}

function messageFrom(party: string, byteLength = 10): HeldMessage {
  const { account } = peerOf("C", party);
  const seeker = { caller: undefined, payer: undefined, account, isUnfit: false, opensRoutes: true, queue: undefined };
  return { ...seeker, byteLength, place: () => undefined };
}

describe("the agents that leave", () => {
  it("cost the host one notice in each while that a worker takes none, and are all told when it takes them again", () => {
    const { leave, line, clock, said } = openWorld();
    line.takes = false;
    leave(2_000);
    line.offered = 0;
    for (let retry = 0; retry < 10; retry += 1) clock.advance(limits.leaveRetryMs);
    expect(line.offered).toBe(10);
    line.takes = true;
    clock.advance(limits.leaveRetryMs);
    expect(new Set(said()).size).toBe(2_000);
    line.offered = 0;
    clock.advance(10 * limits.leaveRetryMs);
    expect(line.offered).toBe(0);
  });

  it("are told once more when their worker has lost channels, however many in one turn", () => {
    const { placement, leave, channel, clock, heard, said } = openWorld();
    const others = Array.from({ length: 100 }, (_, at) => channel(`other-${at}`));
    for (const other of others) placement.peerOpened(other);
    leave(50);
    expect(said()).toHaveLength(50 * limits.leaveChannels);
    heard.length = 0;
    // The newest first: each four that end were all that had been told.
    for (const other of others.reverse()) placement.peerEnded(Object.defineProperty(other, "isOpen", { value: false }));
    clock.advance(limits.leaveRetryMs);
    expect(said()).toHaveLength(50);
    clock.advance(10 * limits.leaveRetryMs);
    expect(said()).toHaveLength(50);
  });

  it("hold messages of other addresses beside those of one that sends as many as it can", () => {
    const { leaving, leave, locate } = openWorld();
    leave(1);
    const found = locate("0");
    if (found.at !== "moving") throw new Error("the agent does not move");
    const { agent } = found;
    let held = 0;
    while (leaving.hold(agent, messageFrom("greedy address"))) held += 1;
    expect(held).toBe(667);
    expect(leaving.hold(agent, messageFrom("honest address"))).toBe(true);
    const large = messageFrom("greedy address", 9 * 1024 * 1024);
    expect(leaving.hold(agent, large)).toBe(false);
    expect(leaving.hold(agent, messageFrom("honest address", 1_000_000))).toBe(true);
  });
});

describe("a worker that stops", () => {
  it("has not to wait for its time when its last claims are of a type that is gone", () => {
    const { owners, drains, holder, heard, locate, clock, batches } = openWorld();
    for (let at = 0; at < 600; at += 1) locate(`${at}`);
    owners.claim("lobby", "W", { sharing });
    // The host has other work to do in this turn, and frees the claims in a later one.
    batches.add(
      "other work",
      Array.from({ length: limits.batchSize }, () => () => undefined),
    );
    owners.release("room", "W");
    drains.workerLeaves(holder, 10_000);
    clock.advance(limits.leaveRetryMs);
    expect(heard).toEqual([{ kind: "leave", agents: [], reason: "draining", graceMs: 0 }]);
  });
});
