import { encodeFrame } from "troupe/protocol";
import type { Connection } from "./connect.ts";
import { prefixed } from "./raw-channel.ts";

/** Events that are published but not yet at every worker. */
const windowEvents = 512;

const payload = {
  typeName: "News",
  contentType: "application/json",
  data: Buffer.from(JSON.stringify({ content: "x".repeat(86) })),
};

/** Publishes on one topic type to workers that do nothing but count, with frames that were made once. */
export class EventLoad {
  readonly #publisher: Connection;
  readonly #events: Buffer;
  readonly #eventBytes: number;
  readonly #received: number[];
  #published = 0;
  #isRunning = false;
  #onIdle = () => {};

  constructor(publisher: Connection, workers: readonly Connection[], topicType: string, agentType: string) {
    this.#publisher = publisher;
    const { prefixBytes } = publisher.channel;
    const sender = { type: agentType, key: "1" };
    const id = "00000000-0000-4000-8000-000000000000";
    const event = encodeFrame({
      kind: "event",
      event: { id, topicType, topicSource: "s", sender, payload, attributes: {} },
    });
    this.#events = prefixed(event, prefixBytes, windowEvents);
    this.#eventBytes = prefixBytes + event.length;
    this.#received = workers.map(() => 0);
    workers.forEach((worker, at) => {
      worker.events = {
        onFrame: () => {
          this.#received[at] = (this.#received[at] ?? 0) + 1;
        },
        onTurnEnd: () => this.#publishMore(),
      };
    });
  }

  /** Keeps a window of events under way; resolves with how many were delivered, when all have arrived. */
  async run(seconds: number): Promise<number> {
    this.#published = 0;
    this.#received.fill(0);
    this.#isRunning = true;
    setTimeout(() => {
      this.#isRunning = false;
      this.#publishMore();
    }, seconds * 1000);
    this.#publishMore();
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
    return this.#received.reduce((sum, count) => sum + count, 0);
  }

  #publishMore(): void {
    const arrived = Math.min(...this.#received);
    if (!this.#isRunning) {
      if (arrived === this.#published) this.#onIdle();
      return;
    }
    const count = arrived + windowEvents - this.#published;
    if (2 * count < windowEvents) return;
    this.#published += count;
    this.#publisher.channel.write(this.#events.subarray(0, count * this.#eventBytes));
  }
}
