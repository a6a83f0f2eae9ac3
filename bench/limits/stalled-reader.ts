import { MeasuredHost } from "../peers/measured-host.ts";
import { eventBytes, PlainWorker } from "../peers/plain-worker.ts";
import { median } from "../support/statistics.ts";

const payloadBytes = 400;

/**
 * Measures what a worker that has stopped reading costs the host and the other workers at the maximum event rate. Two
 * hosts take turns: one with such a worker, one without.
 */
export async function measureStalledReader({ rounds = 5, seconds = 2 } = {}) {
  const calm = await openScene();
  const troubled = await openScene();
  // V8 enlarges its young space under load. Until it stops, memory figures mean nothing.
  for (const scene of [calm, troubled]) await flood(scene, rounds * seconds);
  const stalled = await subscriber(troubled.host, "stalled");
  stalled.stall();
  const [without, beside]: [number[], number[]] = [[], []];
  let [calmPeak, peak] = [0, 0];
  for (let round = 0; round < rounds; round += 1) {
    without.push(await flood(calm, seconds));
    calmPeak = Math.max(calmPeak, (await calm.host.measure()).rss);
    beside.push(await flood(troubled, seconds));
    peak = Math.max(peak, (await troubled.host.measure()).rss);
  }
  const { counters, rss } = await troubled.host.measure({ collectGarbage: true });
  await stalled.close();
  for (const scene of [calm, troubled]) await closeScene(scene);
  return {
    eventsPerSecond: { alone: median(without), besideStalled: median(beside), kept: median(beside) / median(without) },
    peakRssMiB: { alone: mib(calmPeak), besideStalled: mib(peak), more: mib(peak - calmPeak) },
    endRssMiB: mib(rss),
    queuedMiB: mib(counters.queuedBytes),
    queuedFrames: counters.queuedFrames,
    droppedEvents: counters.droppedEvents,
  };
}

interface Scene {
  readonly host: MeasuredHost;
  readonly publisher: PlainWorker;
  readonly quick: PlainWorker;
}

async function openScene(): Promise<Scene> {
  const host = await new MeasuredHost().start();
  return { host, publisher: new PlainWorker(host.address, "publisher"), quick: await subscriber(host, "quick") };
}

async function closeScene({ host, publisher, quick }: Scene): Promise<void> {
  await Promise.all([publisher.close(), quick.close()]);
  await host.stop();
}

async function subscriber(host: MeasuredHost, name: string): Promise<PlainWorker> {
  const worker = new PlainWorker(host.address, name);
  await worker.register(name);
  await worker.subscribe(name, "news", name);
  return worker;
}

/** Publishes as fast as the host accepts. Returns how many events a second reached the fast reader. */
async function flood({ publisher, quick }: Scene, seconds: number): Promise<number> {
  const event = eventBytes("news", payloadBytes);
  const before = quick.received;
  const startMs = performance.now();
  while (performance.now() - startMs < seconds * 1_000) {
    for (let count = 0; count < 200; count += 1) await publisher.publish(event);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const taken = quick.received - before;
  const perSecond = (taken * 1_000) / (performance.now() - startMs);
  await publisher.settled();
  return perSecond;
}

function mib(bytes: number): number {
  return Math.round((bytes / 1024 / 1024) * 10) / 10;
}
