import type { Peer } from "../../src/host/sessions/peer.ts";
import type { PendingCall } from "../../src/host/sessions/pending-call.ts";

/** A call of a host's table, for tests of what keeps calls. `caller`: what of it plays a part. */
export function pendingCall({ caller, ...given }: Omit<Partial<PendingCall>, "caller"> & { caller?: Partial<Peer> }) {
  const call: PendingCall = {
    // TypeScript can't see which members of the caller are used: each test gives those.
    caller: { ...caller } as Peer,
    principal: undefined,
    hostId: 1,
    callerId: new Uint8Array(),
    targetType: "a",
    targetKey: "k",
    heldBytes: 0,
    reportBytes: 0,
    reporter: undefined,
    stockPath: undefined,
    timeoutMs: 0,
    openedMs: 0,
    ...{ traceId: undefined, sender: undefined },
    path: "",
    dueMs: 0,
    timer: undefined,
    target: undefined,
    dueSlot: 0,
    commits: 0,
    isInDoubt: false,
    sentBytes: 0,
    returns: 0,
    conflicts: 0,
    bounces: 0,
    stream: undefined,
    heldSinceMs: undefined,
    outgoingSlot: 0,
    incomingSlot: 0,
    trace: undefined,
  };
  return Object.assign(call, given);
}
