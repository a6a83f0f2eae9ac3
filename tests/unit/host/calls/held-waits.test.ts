import { expect, test } from "vitest";
import { BatchRunner } from "../../../../src/host/batch-runner.ts";
import { HeldWaits } from "../../../../src/host/calls/held-waits.ts";
import type { MovingAgent } from "../../../../src/host/placement/moving-agent.ts";
import { encodeFrame } from "../../../../src/protocol/index.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { pendingCall } from "../../../support/pending-call.ts";

test("calls that begin to wait one after the other have the calls of a worker looked through twice a second at most", () => {
  const clock = new ManualClock();
  let looks = 0;
  const waits = new HeldWaits({
    ...{ clock, batches: new BatchRunner(clock) },
    calls: { has: () => true, named: () => undefined, idTextOf: () => "h1-1" },
    workers: {
      peersOf: () => {
        looks += 1;
        return [];
      },
    },
    rings: { reportHeld: () => undefined, forget: () => undefined },
  });
  // The waits read nothing else of an agent.
  const agent = { type: { name: "room" }, key: "k", claim: { workerId: "w" }, at: "leaving" } as MovingAgent;
  const frame = encodeFrame({
    ...{ kind: "request", requestId: "r", source: undefined, target: { type: "room", key: "k" } },
    ...{ payload: undefined, metadata: { agpath: "t@desk/d" } },
  });
  for (let ms = 0; ms < 2_000; ms += 10) {
    waits.add({ call: pendingCall({ hostId: ms }), frame }, agent);
    clock.advance(10);
  }
  expect(looks).toBeGreaterThan(0);
  expect(looks).toBeLessThanOrEqual(3);
  clock.advance(10_000);
  expect([looks <= 6, clock.pendingTimers]).toEqual([true, 0]);
});
