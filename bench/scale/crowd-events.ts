import { encodeFrame } from "troupe/protocol";
import type { PlainWorker } from "../peers/plain-worker.ts";
import { ClosedLoop } from "./closed-loop.ts";
import { payload } from "./payload.ts";

/**
 * Events of one publisher, each to a topic that one worker has subscribed to. What one sends another keeps its order, so a
 * delivery is matched with its event without a look into it.
 */
export class CrowdEvents {
  readonly loop: ClosedLoop;
  readonly #underWay = new Map<PlainWorker, number[]>();

  /** Topics are numbered; `pick` says which is next. */
  constructor(publisher: PlainWorker, workers: readonly PlainWorker[], pick: () => number) {
    for (const worker of workers) this.#underWay.set(worker, []);
    this.loop = new ClosedLoop((slot) => {
      const topic = pick();
      const subscriber = workers[topic % workers.length];
      if (subscriber !== undefined) this.#underWay.get(subscriber)?.push(slot);
      publisher.send(eventTo(topicOf(topic, workers.length)));
    });
  }

  /** A frame came to one of the workers. */
  receive(_bytes: Uint8Array, worker: PlainWorker): void {
    const slot = this.#underWay.get(worker)?.shift();
    if (slot !== undefined) this.loop.arrived(slot);
  }
}

/** Topics are dealt out to the workers in turn; those of one worker have a prefix in common. */
export function topicOf(topic: number, workers: number): string {
  return `${prefixOf(topic % workers)}${topic}`;
}

export function prefixOf(worker: number): string {
  return `news.${worker}.`;
}

function eventTo(topicType: string): Uint8Array {
  const event = { id: "1", topicType, topicSource: "s", sender: undefined, payload, attributes: {} };
  return encodeFrame({ kind: "event", event });
}
