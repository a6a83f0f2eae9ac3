import { MeasuredHost } from "../peers/measured-host.ts";
import { eventBytes, PlainWorker } from "../peers/plain-worker.ts";
import { median } from "../support/statistics.ts";

/** Number of registrations sent together. */
const atOnce = 500;

/** Measures what one more subscription costs after many subscriptions and many topics. */
export async function measureSubscribing({ subscriptions = 10_000, topics = 10_000, samples = 500 } = {}) {
  const host = await new MeasuredHost().start();
  const worker = await crowded(host, "crowded", subscriptions);
  for (let topic = 0; topic < topics; topic += 1) await worker.publish(eventBytes(`topic.${topic}`, 20, `${topic}`));
  await worker.settled();
  await host.measure();
  const roundTrips: number[] = [];
  const probes: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    roundTrips.push(await timed(() => worker.subscribe(`extra-${sample}`, `topic.${sample}`, "extra")));
    probes.push(await timed(() => worker.unsubscribe(`extra-${sample}`)));
  }
  const { maxBlockedMs } = await host.measure();
  await worker.close();
  await host.stop();
  const slowest = Math.max(...roundTrips);
  return { addMs: { median: median(roundTrips), slowest }, removeMs: { median: median(probes) }, maxBlockedMs };
}

/** Measures how long the host is blocked when a client leaves that has declared, or was asked, very much. */
export async function measureDeparture({ subscriptions = 10_000, pendingCalls = 10_000, rounds = 5 } = {}) {
  const host = await new MeasuredHost().start();
  const caller = new PlainWorker(host.address, "caller");
  const withSubscriptions: number[] = [];
  const withCalls: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const crowd = await crowded(host, `crowd-${round}`, subscriptions);
    withSubscriptions.push(await blockedBy(host, crowd, (counters) => counters.subscriptions === 0));
    const busy = new PlainWorker(host.address, `busy-${round}`);
    await busy.register(`busy-${round}`);
    const before = caller.received;
    for (let call = 0; call < pendingCalls; call += 1) caller.request(`${call}`, `busy-${round}`);
    await busy.receivedMoreThan(pendingCalls - 1);
    withCalls.push(await blockedBy(host, busy, (counters) => counters.pendingCalls === 0));
    await caller.receivedMoreThan(before + pendingCalls - 1);
  }
  await caller.close();
  await host.stop();
  return {
    maxBlockedMs: {
      withSubscriptions: { median: median(withSubscriptions), slowest: Math.max(...withSubscriptions) },
      withPendingCalls: { median: median(withCalls), slowest: Math.max(...withCalls) },
    },
  };
}

/** Checks whether the host remembers topics: its memory before and after many different ones. */
export async function measureTopics({ topics = 1_000_000 } = {}) {
  const host = await new MeasuredHost().start();
  const worker = await crowded(host, "crowded", 1_000);
  const publish = async (from: number, to: number) => {
    for (let topic = from; topic < to; topic += 1)
      await worker.publish(eventBytes(`t.${topic}`, 20, `source-${topic}`));
    await worker.settled();
  };
  await publish(0, topics / 10);
  const before = await host.measure({ collectGarbage: true });
  await publish(topics / 10, topics);
  const after = await host.measure({ collectGarbage: true });
  await worker.close();
  await host.stop();
  const kib = (bytes: number) => Math.round(bytes / 1024);
  return {
    topics,
    events: after.counters.events,
    heapGrownKiB: kib(after.heapUsed + after.external - before.heapUsed - before.external),
    rssMiB: { before: kib(before.rss) / 1024, after: kib(after.rss) / 1024 },
  };
}

async function blockedBy(
  host: MeasuredHost,
  leaver: PlainWorker,
  isOver: (counters: Awaited<ReturnType<MeasuredHost["measure"]>>["counters"]) => boolean,
): Promise<number> {
  await host.measure({ collectGarbage: true });
  await host.measure();
  leaver.vanish();
  let slowest = 0;
  for (;;) {
    const { maxBlockedMs, counters } = await host.measure();
    slowest = Math.max(slowest, maxBlockedMs);
    if (isOver(counters)) break;
  }
  // Clean-up in later turns counts too.
  for (let turn = 0; turn < 50; turn += 1) slowest = Math.max(slowest, (await host.measure()).maxBlockedMs);
  await leaver.close();
  return slowest;
}

async function crowded(host: MeasuredHost, name: string, subscriptions: number): Promise<PlainWorker> {
  const worker = new PlainWorker(host.address, name);
  await worker.register(name);
  for (let from = 0; from < subscriptions; from += atOnce) {
    const lot = Array.from({ length: Math.min(atOnce, subscriptions - from) }, (_, index) => from + index);
    await Promise.all(lot.map((index) => worker.subscribe(`${name}-${index}`, `topic.${index}`, name)));
  }
  return worker;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startMs = performance.now();
  await work();
  return performance.now() - startMs;
}
