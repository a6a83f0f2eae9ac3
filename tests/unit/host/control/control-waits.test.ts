import { expect, it } from "vitest";
import type { ControlPeer } from "../../../../src/host/control/control-peer.ts";
import { ControlWaits } from "../../../../src/host/control/control-waits.ts";
import { limits } from "../../../../src/host/limits.ts";
import type { ControlEnvelope } from "../../../../src/protocol/internal.ts";
import { createMemoryAccountant } from "../../../../src/transport/internal.ts";

const accountant = createMemoryAccountant();

function peer(id: string, party: string, isElsewhere = false): ControlPeer {
  const account = accountant.openAccount({ party, name: "connection", giveWay: () => undefined });
  return { id, account, owner: { principal: undefined }, isElsewhere, ask: undefined, send: () => true };
}

function request(rpcId: string): ControlEnvelope {
  const agentId = { type: "writer", key: "k" };
  return { rpcId, destination: "agentid=writer/k", respondTo: "clientid=C", body: { kind: "save-request", agentId } };
}

/** Asks until the host takes no more. */
function fill(waits: ControlWaits, asker: ControlPeer, target: ControlPeer): number {
  let count = 0;
  for (; waits.whyFull(asker, request(`${asker.id}-${count}`), target) === undefined; count += 1) {
    waits.passed(target, asker, request(`${asker.id}-${count}`));
  }
  return count;
}

it("lets the clients of one address have two thirds of what another host takes", () => {
  const waits = new ControlWaits();
  const link = peer("host → h2", "the other hosts", true);
  const greedy = fill(waits, peer("G", "10.0.0.1"), link);
  expect(greedy).toBe(Math.floor((limits.controlWaitsPerAsker * 2) / 3) + 1);
  expect(fill(waits, peer("H", "10.0.0.1"), link)).toBe(0);
  expect(fill(waits, peer("M", "10.0.0.2"), link)).toBeGreaterThan(100);
  expect(fill(waits, peer("H", "10.0.0.1"), peer("here", "10.0.0.3"))).toBe(limits.controlWaitsPerAsker);
});

it("gives back what a host has answered", () => {
  const waits = new ControlWaits();
  const link = peer("host → h2", "the other hosts", true);
  const asker = peer("G", "10.0.0.1");
  const count = fill(waits, asker, link);
  for (const wait of waits.release(link)) waits.forget(wait);
  expect(fill(waits, asker, link)).toBe(count);
});

it("forgets what was asked on the link that ends, and nothing of the next link of that host", () => {
  const waits = new ControlWaits();
  const [old, next] = [peer("host → h2", "10.0.0.2", true), peer("host → h2", "10.0.0.2", true)];
  const target = peer("T", "10.0.0.3");
  waits.passed(target, old, request("1"));
  waits.passed(target, next, request("2"));
  for (const wait of waits.releaseAsker(old)) waits.forget(wait);
  const answer = (rpcId: string): ControlEnvelope => ({
    ...{ rpcId, destination: "clientid=C", respondTo: "", body: undefined },
  });
  expect(waits.answered(target, answer("1"))).toBeUndefined();
  expect(waits.answered(target, answer("2"))).toBe(next);
});
