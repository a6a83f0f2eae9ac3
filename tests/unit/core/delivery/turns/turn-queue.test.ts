import { expect, it } from "vitest";
import { type Turn, TurnQueue } from "../../../../../src/core/internal.ts";

class Named implements Turn {
  readonly bytes = 0;
  readonly isUrgent = false;
  readonly name: string;
  readonly kind: Turn["kind"];
  readonly #above: readonly Named[];

  constructor(name: string, kind: Turn["kind"], above: readonly Named[] = []) {
    this.name = name;
    this.kind = kind;
    this.#above = above;
  }

  get hasPath(): boolean {
    return this.#above.length > 0;
  }

  isAwaitedBy(running: Named): boolean {
    return this.#above.includes(running);
  }

  begin(): void {}

  hurry(): void {}
}

function waitsOf(turns: readonly Named[]): string[] {
  const queue = new TurnQueue<Named>({ maxQueued: 10, maxQueuedBytes: 1 });
  for (const turn of turns) queue.ask(turn);
  return [...queue.waits()].map(({ turn, behind }) => `${turn.name}: ${behind.map(({ name }) => name)}`);
}

const [r1, r2] = [new Named("r1", "reading"), new Named("r2", "reading")];

it("a message that waits is behind the turns that run, but for those that wait for it", () => {
  expect(waitsOf([r1, r2, new Named("of r1", "alone", [r1]), new Named("of none", "alone")])).toEqual([
    "of r1: r2",
    "of none: r1,r2",
  ]);
});

it("one that reads is not behind a reader for which nothing before it waits", () => {
  expect(waitsOf([r1, r2, new Named("of r1", "alone", [r1]), new Named("reader", "reading")])).toEqual([
    "of r1: r2",
    "reader: r2",
  ]);
});

it("one that reads is behind all that do not wait for it, if those before it wait for what waits for it", () => {
  expect(waitsOf([r1, r2, new Named("of r1", "alone", [r1]), new Named("reader of r2", "reading", [r2])])).toEqual([
    "of r1: r2",
    "reader of r2: r1",
  ]);
});
