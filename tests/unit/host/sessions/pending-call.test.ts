import { expect, it } from "vitest";
import type { Peer } from "../../../../src/host/sessions/peer.ts";
import type { PendingCall } from "../../../../src/host/sessions/pending-call.ts";
import { createOutgoingCalls } from "../../../../src/host/sessions/pending-call.ts";

function call(ownId: string): PendingCall {
  // The caller plays no part in finding.
  const caller = {} as Peer;
  const ids = { hostId: 1, callerId: new TextEncoder().encode(ownId), targetType: "a", targetKey: "k" };
  return {
    caller,
    ...ids,
    heldBytes: 0,
    reportBytes: 0,
    stockPath: undefined,
    timeoutMs: 0,
    openedMs: 0,
    dueMs: 0,
    timer: undefined,
    target: undefined,
    dueSlot: 0,
    commits: 0,
    sentBytes: 0,
    returns: 0,
    conflicts: 0,
    outgoingSlot: 0,
    incomingSlot: 0,
  };
}

it("finds calls by their callers' own ids, those made before the first search and those made after", () => {
  const asked = createOutgoingCalls();
  const [early, late] = [call("early"), call("späte")];
  asked.add(early);
  expect(asked.named("späte")).toBeUndefined();
  asked.add(late);
  expect(asked.named("early")).toBe(early);
  expect(asked.named("späte")).toBe(late);
  asked.delete(early);
  expect(asked.named("early")).toBeUndefined();
  asked.delete(late);
  expect(asked.size).toBe(0);
  expect(asked.named("späte")).toBeUndefined();
});

it("finds the latest of several calls under one id, and none once that one has its outcome", () => {
  const asked = createOutgoingCalls();
  const [first, second] = [call("1"), call("1")];
  asked.add(first);
  asked.add(second);
  expect(asked.named("1")).toBe(second);
  asked.delete(first);
  expect(asked.named("1")).toBe(second);
  asked.delete(second);
  expect(asked.named("1")).toBeUndefined();
});
