import type { TopicId } from "../../core/internal.ts";
import type { WorkerRuntime } from "../../worker/internal.ts";
import { messageOfBytes } from "./bench-agents.ts";
import { type DurationSummary, Durations, rounded } from "./durations.ts";

/** A load of events. */
export interface EventLoad {
  readonly bytes: number;
  readonly subscribers: number;
  readonly seconds: number;
}

/** The measurement of one load. The times are those until the last subscriber had the event. */
export interface EventRow extends DurationSummary {
  readonly bytes: number;
  readonly subscribers: number;
  readonly eventsPerSecond: number;
  readonly deliveriesPerSecond: number;
  /** Events that not all subscribers had when the time was over. */
  readonly missing: number;
}

/** Events that are on their way at once. So few fit into the queue of any worker: those that are missing were lost. */
const window = 64;
/** Milliseconds for which a load waits for the next event to arrive. */
const patienceMs = 5_000;
const warmUp = 0.1;

/** Takes part in a load of events: each ear tells it what it hears. */
export class EventCounts {
  readonly #waiting = new Map<number, { left: number; readonly beganMs: number }>();
  #wake: () => void = () => undefined;
  #onDone: (ms: number, beganMs: number) => void = () => undefined;

  get size(): number {
    return this.#waiting.size;
  }

  /** Waits for another event. */
  expect(number: number, subscribers: number): void {
    this.#waiting.set(number, { left: subscribers, beganMs: performance.now() });
  }

  /** A subscriber has an event. */
  heard(number: number): void {
    const event = this.#waiting.get(number);
    if (event === undefined) return;
    event.left -= 1;
    if (event.left > 0) return;
    this.#waiting.delete(number);
    this.#onDone(performance.now() - event.beganMs, event.beganMs);
    this.#wake();
  }

  onDone(take: (ms: number, beganMs: number) => void): void {
    this.#onDone = take;
  }

  /** Resolves to true when another event is done, and to false after the patience of a load. */
  next(): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), patienceMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }

  /** Forgets the events that are missing. Returns their number. */
  forget(): number {
    const missing = this.#waiting.size;
    this.#waiting.clear();
    return missing;
  }
}

/** Publishes events for so long, few at once, and measures them. */
export async function measureEvents(
  publisher: WorkerRuntime,
  {
    topic,
    counts,
    firstNumber,
  }: { readonly topic: TopicId; readonly counts: EventCounts; readonly firstNumber: number },
  { bytes, subscribers, seconds }: EventLoad,
): Promise<{ readonly row: EventRow; readonly nextNumber: number }> {
  const durations = new Durations();
  const fromMs = performance.now() + 1_000 * warmUp * seconds;
  const untilMs = fromMs + 1_000 * seconds;
  let lastMs = untilMs;
  counts.onDone((ms, beganMs) => {
    if (beganMs < fromMs || (beganMs + ms > untilMs && durations.count > 0)) return;
    durations.add(ms);
    lastMs = Math.max(lastMs, beganMs + ms);
  });
  let number = firstNumber;
  let isStuck = false;
  // On a machine that stands still for long, a row lasts until one event was measured.
  while (!isStuck && (performance.now() < untilMs || durations.count === 0)) {
    if (counts.size >= window) isStuck = !(await counts.next());
    else {
      counts.expect(number, subscribers);
      await publisher.publishMessage(messageOfBytes(bytes, number), topic);
      number += 1;
    }
  }
  while (!isStuck && counts.size > 0) isStuck = !(await counts.next());
  const missing = counts.forget();
  const eventsPerSecond = rounded((1_000 * durations.count) / (lastMs - fromMs));
  const rates = { eventsPerSecond, deliveriesPerSecond: rounded(eventsPerSecond * subscribers) };
  return { row: { bytes, subscribers, ...rates, ...durations.summary(), missing }, nextNumber: number };
}
