import { expect, it } from "vitest";
import type { PendingCall } from "../../../../src/host/sessions/pending-call.ts";
import { createOutgoingCalls } from "../../../../src/host/sessions/pending-call.ts";
import { pendingCall } from "../../../support/pending-call.ts";

function call(ownId: string): PendingCall {
  return pendingCall({ callerId: new TextEncoder().encode(ownId) });
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
