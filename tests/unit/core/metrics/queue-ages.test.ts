import { expect, it } from "vitest";
import { QueueAges } from "../../../../src/core/metrics/queue-ages.ts";

class Queue {
  entered = 0;
  waiting = 0;
  readonly key = this;

  come(count: number): void {
    this.entered += count;
    this.waiting += count;
  }
}

it("the age of a queue is that of its oldest entry, from the first collection that saw it", () => {
  const [ages, queue] = [new QueueAges(), new Queue()];
  expect(ages.read([queue], 0)).toBe(0);
  queue.come(2);
  expect(ages.read([queue], 10)).toBe(0);
  queue.come(3);
  expect(ages.read([queue], 20)).toBe(10);
  queue.come(1);
  // The first two have left: the next three were seen at 20.
  queue.waiting = 4;
  expect(ages.read([queue], 50)).toBe(30);
  queue.waiting = 1;
  expect(ages.read([queue], 70)).toBe(20);
  queue.waiting = 0;
  expect(ages.read([queue], 80)).toBe(0);
  queue.come(1);
  expect(ages.read([queue], 90)).toBe(0);
});

it("the oldest of several queues counts, and one that is gone does not", () => {
  const ages = new QueueAges();
  const [one, two] = [new Queue(), new Queue()];
  one.come(1);
  ages.read([one, two], 0);
  two.come(1);
  ages.read([one, two], 5);
  expect(ages.read([one, two], 10)).toBe(10);
  expect(ages.read([two], 20)).toBe(15);
  expect(ages.read([one, two], 30)).toBe(25);
});

it("a queue that stands for very many collections is told with its whole age, in bounded memory", () => {
  const [ages, queue] = [new QueueAges(), new Queue()];
  for (let at = 0; at <= 10_000; at += 1) {
    queue.come(1);
    expect(ages.read([queue], at)).toBe(at);
  }
  // The half has left. What is forgotten makes the age a little lower, never higher.
  queue.waiting = 5_000;
  const age = ages.read([queue], 10_000);
  expect(age).toBeLessThanOrEqual(5_000);
  expect(age).toBeGreaterThan(1_000);
});
