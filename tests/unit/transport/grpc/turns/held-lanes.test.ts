import { expect, it } from "vitest";
import { LoopRig } from "./rig.ts";

it("what a connection makes the listener do while it waits for its turn still counts when it has its turn", () => {
  const rig = new LoopRig();
  const waits = rig.client("crowd");
  waits.lane.charge(10);
  expect(waits.lane.isHeld).toBe(true);
  const before = waits.lane.usedMs;
  // A thousand of its calls end meanwhile.
  for (let count = 0; count < 1_000; count += 1) waits.lane.charge(0.03);
  const others = ["a", "b", "c", "d"].map((party) => rig.client(party));
  let usedMs: number | undefined;
  waits.lane.queue(() => {
    usedMs = waits.lane.usedMs;
  });
  let turns = 0;
  for (; usedMs === undefined; turns += 1) {
    for (const other of others) other.send([3]);
    rig.turn();
  }
  // It has waited for more than a turn, so that this is no matter of the turn in which it was charged.
  expect(turns).toBeGreaterThan(2);
  expect(usedMs).toBeGreaterThanOrEqual(before + 29);
});
