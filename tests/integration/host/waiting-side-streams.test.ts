import { describe, expect, it } from "vitest";
import type { Authorize, HostOptions } from "../../../src/host/index.ts";
import { limits } from "../../../src/host/limits.ts";
import { ManualClock } from "../../../src/testing/index.ts";
import { type CallContext, StatusCode } from "../../../src/transport/index.ts";
import { type HostRig, hostTransports } from "../../support/host-transports.ts";
import { openSide } from "../../support/open-side.ts";
import { RawWorker } from "../../support/raw-worker.ts";

/** Admits side streams as `bob` at once. The answers for channels are the test's. */
function channelsWait() {
  const channels: ((refusal: { code: StatusCode; details: string }) => void)[] = [];
  let sides = 0;
  let check: () => void = () => {};
  const authorize: Authorize = ({ method }: CallContext) => {
    if (method !== "OpenChannel") {
      sides += 1;
      check();
      return { name: "bob" };
    }
    return new Promise((resolve) => {
      channels.push(resolve);
      check();
    });
  };
  const asked = (count: { channels: number; sides: number }): Promise<void> =>
    new Promise((resolve) => {
      check = () => {
        if (channels.length >= count.channels && sides >= count.sides) resolve();
      };
      check();
    });
  return { channels, authorize, asked };
}

const [memory] = hostTransports;
const start = (options: HostOptions): Promise<HostRig> => {
  if (memory === undefined) throw new Error("There is no memory link.");
  return memory.start(options);
};

const refusal = { code: StatusCode.unauthenticated, details: "Who are you?" };
const noChannel = { by: "status", status: { code: StatusCode.failedPrecondition } };

function open(rig: HostRig, count: { channels: number; sides: number }) {
  const link = rig.dial();
  const workers = Array.from({ length: count.channels }, () => new RawWorker(link, "W").open());
  return { workers, sides: Array.from({ length: count.sides }, () => openSide(link, "W")) };
}

const reacting = "then";

/** Counts the reactions that are registered with promises until `work` is over. */
async function reactionsDuring(work: () => Promise<void>): Promise<number> {
  const original = Promise.prototype[reacting];
  let count = 0;
  const counting = function (this: unknown, ...reactions: unknown[]): unknown {
    count += 1;
    return Reflect.apply(original, this, reactions);
  };
  const replace = (value: unknown) => Object.defineProperty(Promise.prototype, reacting, { value });
  replace(counting);
  try {
    await work();
  } finally {
    replace(original);
  }
  return count;
}

describe.each(hostTransports)("side streams that wait for a data channel, over $name", ({ start }) => {
  it("count among what may wait for authorize on one connection, and leave their places when they end", async () => {
    const count = { channels: 1, sides: limits.pendingAdmissionsPerPeer - 1 };
    const { channels, authorize, asked } = channelsWait();
    await using rig = await start({ authorize });
    const { sides } = open(rig, count);
    await asked(count);
    const link = rig.dial();
    const other = openSide(link, "W");
    await asked({ ...count, sides: count.sides + 1 });
    expect(rig.host.counters().refusedByLimit).toBe(0);
    expect(channels).toHaveLength(1);
    other.stream.cancel();
    await other.ended;
    channels[0]?.(refusal);
    for (const side of sides) expect(await side.ended).toMatchObject(noChannel);
  });

  it("end after 30 s, though channels that came later still wait", async () => {
    const clock = new ManualClock();
    const { authorize, asked } = channelsWait();
    await using rig = await start({ authorize, clock });
    const { sides } = open(rig, { channels: 1, sides: 1 });
    await asked({ channels: 1, sides: 1 });
    // A round trip: the side stream waits for its channel by then.
    await new RawWorker(rig.dial(), "other").subscriptions();
    clock.advance(limits.admissionMs / 2);
    open(rig, { channels: 1, sides: 0 });
    await asked({ channels: 2, sides: 1 });
    clock.advance(limits.admissionMs / 2);
    expect(await sides[0]?.ended).toMatchObject(noChannel);
  });
});

describe("side streams that wait for a data channel, over the memory link", () => {
  it("are refused beyond the bound of their connection", async () => {
    const { authorize, asked } = channelsWait();
    await using rig = await start({ authorize });
    const link = rig.dial();
    new RawWorker(link, "W").open();
    const sides = Array.from({ length: limits.pendingAdmissionsPerPeer }, () => openSide(link, "W"));
    await asked({ channels: 1, sides: limits.pendingAdmissionsPerPeer - 1 });
    expect(await Promise.race(sides.map(({ ended }) => ended))).toMatchObject({
      status: { code: StatusCode.resourceExhausted },
    });
    expect(rig.host.counters().refusedByLimit).toBe(1);
  });

  it("cost the host work in proportion to them and the channels, not to their product", async () => {
    const count = { channels: 60, sides: 60 };
    const { channels, authorize, asked } = channelsWait();
    await using rig = await start({ authorize });
    const { workers, sides } = open(rig, count);
    await asked(count);
    const reactions = await reactionsDuring(async () => {
      for (const [index, refuse] of channels.entries()) {
        refuse(refusal);
        await workers[index]?.ended;
      }
      for (const side of sides) expect(await side.ended).toMatchObject(noChannel);
    });
    expect(reactions).toBeLessThan(10 * (count.channels + count.sides));
  });
});
