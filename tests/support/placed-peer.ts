import type { Peer } from "../../src/host/sessions/peer.ts";
import { createIncomingCalls, createOutgoingCalls } from "../../src/host/sessions/pending-call.ts";
import { createMemoryAccountant } from "../../src/transport/internal.ts";

/** A worker that knows claims, as the placement of a host sees it. `more`: what the test has it do. */
export function peerOf(id: string, party: string, more: Partial<Peer> = {}): Peer {
  return {
    id,
    worker: { id, name: id, version: undefined, labels: {} },
    dotnet: undefined,
    traits: {
      ...{ takesJsonEvents: true, maxFrameBytes: 1_000_000, isAnnounced: true, reconnectGraceMs: 0 },
      capabilities: new Set(["claims"] as const),
    },
    isOpen: true,
    account: createMemoryAccountant().openAccount({ party, name: `connection of ${party}`, giveWay: () => {} }),
    outgoingCalls: createOutgoingCalls(),
    incomingCalls: createIncomingCalls(),
    lastEvent: 0,
    send: () => "queued",
    notify: () => "queued",
    ...more,
  };
}
