import type { HostCounters } from "troupe/host";
import { expect, test } from "vitest";
import { fact, mebibytes } from "../../support/load/facts.ts";
import {
  type Memory,
  startHostProgram,
  startWorkerProgram,
  type WorkerProgram,
  type WorkerReport,
} from "./support/remote-program.ts";

const bound = 16 * 2 ** 20;
const round = { topic: "news", count: 1_000, bytes: 10_000 };
/** What the host's memory may grow by beyond its bound; the goal is 20 MiB. The rest is the collector's whim. */
const roomBytes = 40 * 2 ** 20;

test("a reader that stalls costs the host its bound, and the others none of their events", {
  timeout: 120_000,
}, async () => {
  await using host = await startHostProgram({ maxQueuedBytes: bound });
  const { address } = host.ready;
  const readers = ["reader_a", "reader_b", "reader_c"].map((type) => ({ type, topic: round.topic }));
  const [first, second, stalled] = await Promise.all(
    readers.map((reader) => startWorkerProgram({ address, readers: [reader] })),
  );
  await using publisher = await startWorkerProgram({ address });
  if (first === undefined || second === undefined || stalled === undefined) throw new Error("three were started");
  await using _first = first;
  await using _second = second;
  await using _stalled = stalled;
  let rounds = 0;
  const publish = async (count: number) => {
    const startedMs = performance.now();
    for (const last = rounds + count; rounds < last; ) {
      rounds++;
      await publisher.tell("publish", round);
      await Promise.all([first, second].map((reader) => reader.tell("arrived", rounds * round.count)));
    }
    return (count * round.count * 1_000) / (performance.now() - startedMs);
  };

  await publish(5);
  await stalled.tell("arrived", rounds * round.count);
  const before = await publish(5);
  await stalled.tell("arrived", rounds * round.count);
  const { rss } = await host.tell<Memory>("memory");
  stalled.signal("SIGSTOP");
  // Ten times what may wait for it.
  const roundBytes = round.count * round.bytes;
  const during = await publish(Math.ceil((10 * bound) / roundBytes));
  // While it stalls: each round was waited for, and nothing of it was doubled, mixed up or dropped for them.
  for (const reader of [first, second]) await expectAll(reader, rounds * round.count);
  const { peakRss } = await host.tell<Memory>("memory");
  const counters = await host.tell<HostCounters & { readonly droppedEvents: number }>("counters");
  fact(
    "host's RSS with a stalled reader",
    `${mebibytes(rss)}, at its peak ${mebibytes(peakRss)}; its bound is ${mebibytes(bound)}`,
  );
  fact(
    "events/s of each other reader",
    `${before.toFixed(0)} before, ${during.toFixed(0)} meanwhile (${((100 * during) / before).toFixed(0)} %)`,
  );
  expect(peakRss - rss).toBeLessThan(bound + roomBytes);

  // What was queued for it still comes, the rest was counted: nothing is lost in silence.
  stalled.signal("SIGCONT");
  await stalled.tell("arrived", rounds * round.count - counters.droppedEvents);
  await expectAll(stalled, rounds * round.count - counters.droppedEvents);
  expect(counters.droppedEvents).toBeGreaterThan(0);
});

async function expectAll(reader: WorkerProgram, events: number): Promise<void> {
  const report = await reader.tell<WorkerReport>("report");
  expect(report).toMatchObject({ events, wrongEvents: [] });
}
