import { expect, test } from "vitest";
import { ManualClock } from "../../../../src/testing/index.ts";
import { LeaseAsking } from "../../../../src/worker/connection/lease-asking.ts";

function asking() {
  const clock = new ManualClock();
  const asked: number[] = [];
  const lease = new LeaseAsking({
    ...{ clock, nextSeq: () => asked.length, isHeld: () => true, say: () => undefined },
    sayBeside: () => asked.push(clock.now()) > 0,
  });
  return { clock, asked, asking: lease };
}

test("a worker asks for its lease at once and then once a second, until the connection ends", () => {
  const { clock, asked, asking: lease } = asking();
  const beganMs = clock.now();
  lease.start();
  lease.start();
  for (let half = 0; half < 5; half += 1) clock.advance(500);
  lease.stop();
  clock.advance(5_000);
  expect(asked.map((ms) => ms - beganMs)).toEqual([0, 1_000, 2_000]);
});

test("a worker asks for its lease sooner when something waits for it, at most every 100 ms", () => {
  const { clock, asked, asking: lease } = asking();
  const beganMs = clock.now();
  lease.hurry();
  lease.start();
  clock.advance(30);
  for (let message = 0; message < 5; message += 1) lease.hurry();
  clock.advance(70);
  clock.advance(400);
  lease.hurry();
  clock.advance(1_000);
  expect(asked.map((ms) => ms - beganMs)).toEqual([0, 100, 500, 1_500]);
});
