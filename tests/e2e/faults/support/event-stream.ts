import { setTimeout as pause } from "node:timers/promises";
import { type AgentRuntime, TopicId, TroupeError } from "troupe";
import { Note } from "../../../support/load/messages.ts";

const gapMs = 2;

/** Publishes numbered events on a topic without end, until it is stopped. */
export class EventStream {
  /** Those that the runtime has taken. What it refuses, with a typed error, is published again under the same number. */
  published = 0;
  readonly untypedErrors: unknown[] = [];
  readonly #runtime: AgentRuntime;
  readonly #publisher: string;
  readonly #topic: TopicId;
  readonly #loop: Promise<void>;
  #isStopped = false;

  constructor(runtime: AgentRuntime, publisher: string, topicType: string) {
    this.#runtime = runtime;
    this.#publisher = publisher;
    this.#topic = new TopicId(topicType, "default");
    this.#loop = this.#keepPublishing();
  }

  /** Resolves with the number of events that were published. */
  async stop(): Promise<number> {
    this.#isStopped = true;
    await this.#loop;
    return this.published;
  }

  async #keepPublishing(): Promise<void> {
    for (; !this.#isStopped; await pause(gapMs)) {
      try {
        const note = Note({ publisher: this.#publisher, number: this.published + 1, text: "x".repeat(200) });
        await this.#runtime.publishMessage(note, this.#topic);
        this.published += 1;
      } catch (error) {
        if (!(error instanceof TroupeError)) this.untypedErrors.push(error);
      }
    }
  }
}
