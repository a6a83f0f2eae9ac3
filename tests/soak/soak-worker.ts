import { setTimeout as pause } from "node:timers/promises";
import { AgentId, type Clock, type Logger, TopicId, TroupeError, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime } from "troupe/grpc";
import { Echo, Reader } from "../support/load/agents.ts";
import { CallLedger } from "../support/load/call-ledger.ts";
import { Note } from "../support/load/messages.ts";
import type { EventBooks } from "./event-books.ts";

export interface SoakWorkerOptions {
  readonly name: string;
  readonly address: string;
  readonly books: EventBooks;
  /** Topic types it reads besides one of its own name. */
  readonly topics?: readonly string[];
  readonly logger: Logger;
  readonly clock: Clock;
}

/** Short, so that what is in doubt when a connection breaks is not much more than what was under way. */
export const keepAliveMs = 100;

/** A worker with an agent that answers (`echo_<name>`) and one that reads (`<name>`); it books what it sends. */
export class SoakWorker {
  readonly name: string;
  readonly echo: AgentId;
  /** The id of its agent that reads. */
  readonly reader: string;
  readonly runtime: GrpcWorkerAgentRuntime;
  /** Calls that may not fail, and calls that may: to or from a worker whose connection is cut. */
  readonly sureCalls: CallLedger;
  readonly riskyCalls: CallLedger;
  readonly #books: EventBooks;
  readonly #topics: readonly string[];
  /** Events fail when there is no connection; anything else than a typed error is a mistake. */
  readonly untypedErrors: unknown[] = [];

  private constructor({ name, address, books, topics = [], logger, clock }: SoakWorkerOptions) {
    this.name = name;
    this.echo = new AgentId(`echo_${name}`, "default");
    this.reader = `${name}/default`;
    this.runtime = new GrpcWorkerAgentRuntime(address, { logger, clock, keepAliveMs });
    this.sureCalls = new CallLedger(name);
    this.riskyCalls = new CallLedger(`${name}-risky`);
    this.#books = books;
    this.#topics = [name, ...topics];
  }

  static async start(options: SoakWorkerOptions): Promise<SoakWorker> {
    const worker = new SoakWorker(options);
    await worker.runtime.start();
    await Echo.register(worker.runtime, worker.echo.type, () => new Echo());
    await Reader.register(worker.runtime, worker.name, () => new Reader(options.books));
    for (const topic of worker.#topics) {
      await worker.runtime.addSubscription(new TypeSubscription(topic, worker.name));
      options.books.addReader(`${topic}/default`, worker.reader);
    }
    return worker;
  }

  /** Publishes the next event of this worker on a topic type; never rejects. */
  async publish(topicType: string): Promise<void> {
    const topic = `${topicType}/default`;
    const number = this.#books.next(this.name, topic);
    try {
      const text = "news ".repeat(20);
      const note = Note({ publisher: this.name, number, text });
      await this.runtime.publishMessage(note, new TopicId(topicType, "default"));
      this.#books.published(this.name, topic);
    } catch (error) {
      this.#books.refused();
      if (!(error instanceof TroupeError)) this.untypedErrors.push(error);
      await pause(20);
    }
  }

  /** Leaves the host and closes its agents; events that were due to it are booked as missing if they have not come. */
  async stop(): Promise<void> {
    await this.runtime.stop();
    for (const topic of this.#topics) this.#books.removeReader(`${topic}/default`, this.reader);
  }
}

/** Publishes on a topic at a steady pace until it is stopped. */
export class EventLoad {
  readonly #loop: Promise<void>;
  #isStopped = false;

  constructor(worker: SoakWorker, topicType: string, gapMs: number) {
    this.#loop = this.#keepPublishing(worker, topicType, gapMs);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#loop;
  }

  async #keepPublishing(worker: SoakWorker, topicType: string, gapMs: number): Promise<void> {
    while (!this.#isStopped) {
      await worker.publish(topicType);
      await pause(gapMs);
    }
  }
}
