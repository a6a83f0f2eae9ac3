/** A queue as a collection of metrics sees it. */
export interface CountedQueue {
  /** The same object for each collection. */
  readonly key: object;
  /** Entries that have ever come into the queue. */
  readonly entered: number;
  /** Those of them that still wait. */
  readonly waiting: number;
}

/** At this time so many entries had come. */
interface Sighting {
  readonly entered: number;
  readonly atMs: number;
}

interface Seen {
  readonly sightings: readonly Sighting[];
  /** Milliseconds between two sightings that are kept, at least. */
  readonly stepMs: number;
}

/** Sightings of one queue that are kept. With more, every second one is forgotten, and ages are told a little too low. */
const mostSightings = 64;
const nothing: Seen = { sightings: [], stepMs: 0 };

/**
 * Tells how long the oldest entry of several queues has waited, from what collections have seen. Entries carry no time, so that they cost nothing:
 * the age counts from the first collection that saw the entry wait. It is never too high, and too low by one interval of the collections at most.
 */
export class QueueAges {
  #seen = new Map<object, Seen>();

  /** Looks at the queues. Returns the milliseconds that the oldest entry has waited; 0 if none waits. */
  read(queues: Iterable<CountedQueue>, nowMs: number): number {
    const seen = new Map<object, Seen>();
    let oldestMs = 0;
    for (const queue of queues) {
      if (queue.waiting <= 0) continue;
      const now = lookedAt(queue, this.#seen.get(queue.key) ?? nothing, nowMs);
      seen.set(queue.key, now);
      const [first] = now.sightings;
      if (first !== undefined) oldestMs = Math.max(oldestMs, nowMs - first.atMs);
    }
    this.#seen = seen;
    return oldestMs;
  }
}

function lookedAt({ entered, waiting }: CountedQueue, { sightings: before, stepMs }: Seen, nowMs: number): Seen {
  // What has come first leaves first.
  const left = entered - waiting;
  const sightings = before.filter((one) => one.entered > left);
  const last = sightings.at(-1);
  if (last === undefined || (last.entered < entered && nowMs - last.atMs >= stepMs))
    sightings.push({ entered, atMs: nowMs });
  if (sightings.length <= mostSightings) return { sightings, stepMs: last === undefined ? 0 : stepMs };
  const fewer = sightings.filter((_, at) => at % 2 === 0);
  return { sightings: fewer, stepMs: (2 * (nowMs - (fewer[0]?.atMs ?? nowMs))) / mostSightings };
}
