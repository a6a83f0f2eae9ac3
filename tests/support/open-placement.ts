import type { Clock } from "../../src/core/index.ts";
import { BatchRunner } from "../../src/host/batch-runner.ts";
import { createHostCounters, type MutableHostCounters } from "../../src/host/counters.ts";
import { Observers } from "../../src/host/observer.ts";
import { type ComposedPlacementParts, composePlacement } from "../../src/host/placement/compose-placement.ts";
import { SoloDirectory } from "../../src/host/placement/solo-directory.ts";
import { StockUnits } from "../../src/host/placement/stock-units.ts";
import type { TypeOwners } from "../../src/host/registry/type-owners.ts";
import type { PeerTable } from "../../src/host/sessions/peer.ts";
import { SenderWaits } from "../../src/host/sessions/sender-waits.ts";

interface Given extends Partial<ComposedPlacementParts> {
  readonly clock: Clock;
  readonly owners: TypeOwners;
  readonly peers: PeerTable;
  readonly counters?: MutableHostCounters;
  readonly maxClaims?: number;
}

/** The placement of a host with few agents. */
export function openPlacement({ clock, owners, peers, ...given }: Given) {
  const { batches = new BatchRunner(clock), maxClaims = 1_000 } = given;
  const directory = given.directory ?? new SoloDirectory({ maxClaims, batches, generation: () => 1 });
  const composed = composePlacement({
    units: new StockUnits({ sharedTypes: () => owners.sharedTypes(), onSplit: () => {}, maxBytes: 1_000_000 }),
    ...{ peers, isDeaf: () => false, placement: "hash", versionPolicy: "newest", random: () => 0 },
    ...{ clock, batches, counters: createHostCounters(), observers: new Observers(), drainGraceMs: 10_000 },
    senderWaits: new SenderWaits(),
    ...{ sharedType: (name) => owners.shared(name), endCalls: () => {} },
    ...{ onDraining: () => {}, endChannels: () => {} },
    ...given,
    directory,
  });
  return { ...composed, directory };
}
