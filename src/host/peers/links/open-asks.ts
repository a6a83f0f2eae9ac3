import type { LinkQueue } from "./link-queue.ts";

/** The unary calls of another host that this one has not answered, and the answers that have not left for that host. */
export class OpenAsks {
  readonly #queue: Pick<LinkQueue, "sentFrames" | "queuedFrames">;
  #unanswered = 0;
  /** The number that the queue gave to each answer, oldest first. */
  readonly #answers: number[] = [];
  /** Those before have left. */
  #first = 0;

  constructor(queue: Pick<LinkQueue, "sentFrames" | "queuedFrames">) {
    this.#queue = queue;
  }

  get count(): number {
    const { sentFrames, queuedFrames } = this.#queue;
    while ((this.#answers[this.#first] ?? Number.POSITIVE_INFINITY) <= sentFrames - queuedFrames) this.#first += 1;
    if (2 * this.#first > this.#answers.length) {
      this.#answers.splice(0, this.#first);
      this.#first = 0;
    }
    return this.#unanswered + this.#answers.length - this.#first;
  }

  begin(): void {
    this.#unanswered += 1;
  }

  /** The answer is in the queue. */
  answered(): void {
    this.#unanswered -= 1;
    this.#answers.push(this.#queue.sentFrames);
  }
}
