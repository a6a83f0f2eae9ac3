import { expect } from "vitest";
import { grpcDialer } from "../../../src/transport/index.ts";
import { exact, RawWorker } from "../../support/raw-worker.ts";

/** What a well-behaved pair of workers did while somebody else did not behave. */
export interface Bystanding {
  readonly calls: number;
  readonly events: number;
  readonly slowestMs: number;
}

const agentType = "bystander";
const topicType = "bystanding";
const lastEvent = "last";

/**
 * Two workers that exchange calls and events for as long as the test goes on. `finish` holds them to what they are promised:
 * one outcome for each call, and that its answer; every event once and in order.
 */
export class Bystanders {
  readonly #caller: RawWorker;
  readonly #callee: RawWorker;
  readonly #heard: string[] = [];
  #calls = 0;
  #slowestMs = 0;
  #isOver = false;
  #calling: Promise<void> = Promise.resolve();
  #listening: Promise<void> = Promise.resolve();

  private constructor(caller: RawWorker, callee: RawWorker) {
    this.#caller = caller;
    this.#callee = callee;
  }

  static async join(address: string): Promise<Bystanders> {
    const dial = () => grpcDialer().dial(address);
    const callee = await new RawWorker(dial(), "bystander-callee").join();
    await callee.register(agentType);
    await callee.subscribe("bystanding", exact(topicType, agentType));
    const caller = await new RawWorker(dial(), "bystander-caller").join();
    const pair = new Bystanders(caller, callee);
    pair.#listening = pair.#listen();
    pair.#calling = pair.#call();
    await pair.#roundsFrom(0, 2);
    return pair;
  }

  /** Resolves after the pair has got on by a few rounds: it is not held up. */
  async getOn(): Promise<void> {
    await this.#roundsFrom(this.#calls, 3);
  }

  async finish(): Promise<Bystanding> {
    await this.getOn();
    this.#isOver = true;
    await this.#calling;
    this.#caller.publish(topicType, "default", lastEvent);
    await this.#listening;
    expect(this.#heard).toEqual(Array.from({ length: this.#calls }, (_, index) => String(index)));
    expect(await this.#caller.settled()).toEqual([]);
    await Promise.all([this.#caller.link.close(), this.#callee.link.close()]);
    return { calls: this.#calls, events: this.#heard.length, slowestMs: this.#slowestMs };
  }

  async #call(): Promise<void> {
    for (; !this.#isOver; this.#calls += 1) {
      const id = String(this.#calls);
      const beganMs = performance.now();
      this.#caller.publish(topicType, "default", id);
      this.#caller.request(id, `${agentType}/k`);
      const answer = await this.#caller.nextResponse();
      expect({ id: answer.requestId, error: answer.error }).toEqual({ id, error: "" });
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - beganMs);
    }
  }

  async #listen(): Promise<void> {
    for (;;) {
      const frame = await this.#callee.next();
      if (frame.kind === "request") this.#callee.respond(frame.requestId, "ok");
      if (frame.kind !== "event") continue;
      if (frame.event.id === lastEvent) return;
      this.#heard.push(frame.event.id);
    }
  }

  async #roundsFrom(begin: number, rounds: number): Promise<void> {
    while (this.#calls < begin + rounds) {
      await Promise.race([this.#calling, new Promise((resolve) => setImmediate(resolve))]);
    }
  }
}
