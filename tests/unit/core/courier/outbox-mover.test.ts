import { expect, test } from "vitest";
import { OutboxMover } from "../../../../src/core/courier/shards/outbox-mover.ts";
import { type StoredMail, shardOf } from "../../../../src/core/internal.ts";
import { ManualClock } from "../../../../src/testing/index.ts";
import { frame, turn } from "./courier-lab.ts";

const noLog = { debug() {}, info() {}, warn() {}, error() {} };

function mail(place: number, key: string): StoredMail {
  const receiver = { type: "a", key };
  return {
    place,
    id: String(place),
    receiver,
    sender: receiver,
    kind: "call",
    frame,
    keptAtMs: 0,
    attempts: 0,
    nextMs: 0,
  };
}

/** A mover over an outbox with this mail, and the places that it has moved. `onMoved` is called with each. */
function world(
  outbox: StoredMail[],
  shards: Set<number>,
  onMoved: (place: number) => void,
  onSettled: () => void = () => undefined,
) {
  const moved: number[] = [];
  const clock = new ManualClock();
  const mover = new OutboxMover({
    onEmptied: () => true,
    ...{ clock, logger: noLog, shards: () => [...shards], isActive: (shard) => shards.has(shard) },
    store: {
      mail: async ({ shards: asked, after = 0, limit = 100 }) =>
        outbox.filter((one) => asked?.includes(shardOf(one.receiver)) && one.place > after).slice(0, limit),
      settle: async ({ mail: settled }) => {
        onSettled();
        for (const { place } of settled)
          outbox.splice(
            outbox.findIndex((one) => one.place === place),
            1,
          );
      },
    },
    log: {
      append: async (_, { id }) => {
        moved.push(Number(id));
        onMoved(Number(id));
        return "kept";
      },
      empty: async () => undefined,
      bury: async () => undefined,
    },
  });
  const untilEmpty = async () => {
    while (outbox.length > 0) {
      clock.advance(1_000);
      await turn();
    }
    return moved;
  };
  return { mover, untilEmpty };
}

const [x, y] = ["x", "y"] as const;
const shardOfKey = (key: string) => shardOf({ type: "a", key });

test("the mail of a shard that comes while mail is moved keeps its order", async () => {
  // More than one page.
  const ofX = Array.from({ length: 100 }, (_, at) => mail(at + 2, x));
  const outbox = [mail(1, y), ...ofX, mail(200, y)];
  const shards = new Set([shardOfKey(x)]);
  const { mover, untilEmpty } = world(outbox, shards, (place: number) => {
    if (place === 60) shards.add(shardOfKey(y));
  });
  mover.start();
  const moved = await untilEmpty();
  expect(moved.filter((place) => place === 1 || place === 200)).toEqual([1, 200]);
});

test("the mail of a shard that goes away for a moment keeps its order", async () => {
  const [ofX, last] = [shardOfKey(x), 100];
  const outbox = [mail(1, y), ...Array.from({ length: last }, (_, at) => mail(at + 2, x))];
  const shards = new Set([ofX, shardOfKey(y)]);
  const { mover, untilEmpty } = world(
    outbox,
    shards,
    (place: number) => {
      if (place === 2) shards.delete(ofX);
    },
    () => shards.add(ofX),
  );
  mover.start();
  const ordered = (await untilEmpty()).filter((place) => place > 1);
  expect(ordered).toEqual(Array.from({ length: last }, (_, at) => at + 2));
});
