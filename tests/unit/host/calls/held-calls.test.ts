import { expect, it } from "vitest";
import { HeldCalls } from "../../../../src/host/calls/held-calls.ts";
import { limits } from "../../../../src/host/limits.ts";
import type { PendingCall } from "../../../../src/host/sessions/pending-call.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import {
  createMemoryAccountant,
  createUncountedAccount,
  type MemoryAccount,
} from "../../../../src/transport/internal.ts";
import { pendingCall } from "../../../support/pending-call.ts";

function call(targetKey: string, account: MemoryAccount = createUncountedAccount()): PendingCall {
  return pendingCall({ targetKey, caller: { account } });
}

function setUp(waitMs: number) {
  const clock = new ManualClock();
  const expired: string[] = [];
  return { clock, expired, held: new HeldCalls(clock, waitMs, ({ targetKey }) => expired.push(targetKey)) };
}

const frame = new Uint8Array(10);

it("hands out what waits for a client in the order it came, and only once", () => {
  const { clock, held } = setUp(100);
  for (const id of ["1", "2"]) held.hold("X", call(id), frame);
  held.hold("Y", call("3"), frame);
  expect(held.release("X").map((each) => each.call.targetKey)).toEqual(["1", "2"]);
  expect(held.release("X")).toEqual([]);
  expect(clock.pendingTimers).toBe(1);
});

it("gives up each call after its own wait", () => {
  const { clock, expired, held } = setUp(100);
  held.hold("X", call("1"), frame);
  clock.advance(60);
  held.hold("X", call("2"), frame);
  clock.advance(40);
  expect(expired).toEqual(["1"]);
  expect(held.release("X").map((each) => each.call.targetKey)).toEqual(["2"]);
});

it("holds no more than so many calls and bytes for a client", () => {
  const { held } = setUp(100);
  let count = 0;
  while (held.hold("X", call(`${count}`), frame) === undefined) count += 1;
  expect(count).toBeLessThan(limits.heldCallsPerClient);
  expect(held.hold("X", call("more"), frame)?.text).toMatch(/^Too many requests wait/);
  expect(held.hold("Y", call("large"), new Uint8Array(limits.heldBytesPerClient))).toBeUndefined();
  expect(held.hold("Y", call("larger"), frame)?.text).toMatch(/^Too many requests wait/);
  held.release("Y");
  expect(held.hold("Y", call("again"), frame)).toBeUndefined();
});

it("holds no more than two thirds of the calls for a client from one address", () => {
  const { held } = setUp(100);
  const accountant = createMemoryAccountant();
  const accountOf = (party: string) => accountant.openAccount({ party, name: "connection", giveWay: () => undefined });
  const [greedy, modest] = [accountOf("10.0.0.1"), accountOf("10.0.0.2")];
  let count = 0;
  while (held.hold("X", call("k", greedy), frame) === undefined) count += 1;
  expect(count).toBe(Math.floor((limits.heldCallsPerClient * 2) / 3) + 1);
  expect(held.hold("X", call("k", modest), frame)).toBeUndefined();
  for (const { call: waiting } of held.release("X")) held.forget(waiting);
  expect(held.hold("X", call("k", greedy), frame)).toBeUndefined();
});

it("holds nothing when there is no wait", () => {
  const { held } = setUp(0);
  expect(held.hold("X", call("1"), frame)?.text).toBe("Client for agent type a disconnected.");
});

it("holds no more than two thirds of all bytes for the callers of one address, so that others find a place", () => {
  const { held } = setUp(100);
  const accountant = createMemoryAccountant({ maxBytes: 64 * limits.heldBytes });
  const accountOf = (party: string) => accountant.openAccount({ party, name: "connection", giveWay: () => undefined });
  const [greedy, modest] = [accountOf("10.0.0.1"), accountOf("10.0.0.2")];
  const long = new Uint8Array(limits.heldBytesPerClient);
  let count = 0;
  while (held.hold(`greedy-${count}`, call("k", greedy), long) === undefined) count += 1;
  expect(count * long.length).toBeLessThanOrEqual((limits.heldBytes * 3) / 4);
  expect(held.hold("modest", call("k", modest), long)).toBeUndefined();
  held.release("greedy-0");
  held.release("greedy-1");
  expect(held.hold("greedy-0", call("k", greedy), long)).toBeUndefined();
});
