import { expect, test } from "vitest";
import { ToldLoads } from "../../../../../src/host/peers/told/told-loads.ts";
import { type CallLink, WorkerElsewhere } from "../../../../../src/host/peers/worker-elsewhere.ts";
import type { Peer } from "../../../../../src/host/sessions/peer.ts";
import type { PeerLoad } from "../../../../../src/protocol/internal.ts";

function rig(count: number) {
  const loads = new Map<Peer, { agents: number; calls: number }>();
  // Only its identity counts here.
  const channels = Array.from({ length: count }, (_, at) => [at + 1, { id: `c${at}` } as unknown as Peer] as const);
  for (const [, channel] of channels) loads.set(channel, { agents: 0, calls: 0 });
  const told = new ToldLoads((channel) => loads.get(channel) ?? { agents: 0, calls: 0 });
  const look = (): readonly PeerLoad[] => {
    const frames: PeerLoad[] = [];
    for (const task of told.look(channels, (load) => frames.push(load))) task();
    return frames;
  };
  const set = (slot: number, agents: number, calls: number): void => {
    const channel = channels[slot - 1]?.[1];
    if (channel !== undefined) loads.set(channel, { agents, calls });
  };
  return { told, look, set };
}

test("an idle worker is not told, and a load again only when it has changed by more than a tenth", () => {
  const { look, set } = rig(2);
  expect(look()).toEqual([]);
  set(1, 100, 0);
  expect(look()).toEqual([{ kind: "load", workers: [{ slot: 1, agents: 100, calls: 0 }] }]);
  set(1, 110, 0);
  expect(look()).toEqual([]);
  set(1, 111, 0);
  set(2, 0, 1);
  expect(look()).toEqual([
    {
      kind: "load",
      workers: [
        { slot: 1, agents: 111, calls: 0 },
        { slot: 2, agents: 0, calls: 1 },
      ],
    },
  ]);
  set(1, 0, 0);
  expect(look()).toEqual([{ kind: "load", workers: [{ slot: 1, agents: 0, calls: 0 }] }]);
});

test("loads go in lots of 1,000, and a host that comes is told all that was told, but for workers that have left", () => {
  const { told, look, set } = rig(1_500);
  for (let slot = 1; slot <= 1_500; slot += 1) set(slot, slot, 0);
  expect(look().map(({ workers }) => workers.length)).toEqual([1_000, 500]);
  told.forget(1);
  expect([...told.all()].map(({ workers }) => workers.length)).toEqual([1_000, 499]);
});

test("the load of a worker elsewhere is what its host has told, and what this host has sent it since", () => {
  // Nothing is sent on it.
  const link = { hostId: "h2", isOpen: true } as unknown as CallLink;
  const worker = new WorkerElsewhere(
    {
      ...{ kind: "here", slot: 1, session: 1, clientId: "c", isAnnounced: true, isDraining: false },
      ...{ worker: { id: "w", name: "w", version: undefined, labels: {} }, capabilities: new Set() },
    },
    link,
  );
  expect(worker.loadWith(3)).toEqual({ agents: 3, calls: 0 });
  worker.setLoad({ agents: 50, calls: 4 });
  expect(worker.loadWith(3)).toEqual({ agents: 50, calls: 4 });
  expect(worker.loadWith(5)).toEqual({ agents: 52, calls: 4 });
  expect(worker.loadWith(1)).toEqual({ agents: 50, calls: 4 });
  worker.setLoad({ agents: 52, calls: 0 });
  expect(worker.loadWith(5)).toEqual({ agents: 52, calls: 0 });
});
