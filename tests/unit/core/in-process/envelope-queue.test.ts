import { describe, expect, test } from "vitest";
import type { Envelope } from "../../../../src/core/in-process/envelope.ts";
import { EnvelopeQueue } from "../../../../src/core/in-process/envelope-queue.ts";
import { TopicId } from "../../../../src/core/index.ts";

const topicId = new TopicId("t", "s");

function numbered(messageId: string): Envelope {
  return {
    kind: "publish",
    message: undefined,
    topicId,
    sender: undefined,
    messageId,
    signal: undefined,
    link: undefined,
    depth: 0,
  };
}

function idOf(envelope: Envelope | undefined): string | undefined {
  return envelope?.kind === "publish" ? envelope.messageId : undefined;
}

describe("EnvelopeQueue", () => {
  test("what goes in first comes out first, over many more than it keeps room for", () => {
    const queue = new EnvelopeQueue();
    let pushed = 0;
    let taken = 0;
    while (taken < 10_000) {
      for (let count = 0; count < 7 && pushed < 10_000; count += 1) queue.push(numbered(`${pushed++}`));
      for (let count = 0; count < (pushed < 10_000 ? 3 : 7) && taken < 10_000; count += 1) {
        expect(idOf(queue.take())).toBe(`${taken++}`);
      }
      expect(queue.length).toBe(pushed - taken);
    }
    expect(queue.take()).toBeUndefined();
  });

  test("it wakes who waits for something to take", async () => {
    const queue = new EnvelopeQueue();
    const arrival = queue.arrival();
    queue.push(numbered("1"));
    await arrival;
    await queue.arrival();
    expect(queue.length).toBe(1);
  });

  test("it is idle when all that was pushed is done, not only taken", async () => {
    const queue = new EnvelopeQueue();
    const log: string[] = [];
    await queue.idle();
    queue.push(numbered("1"));
    queue.push(numbered("2"));
    const idle = queue.idle().then(() => log.push("idle"));
    queue.take();
    queue.take();
    queue.done();
    await Promise.resolve();
    expect(queue.isIdle).toBe(false);
    log.push("last");
    queue.done();
    await idle;
    expect(log).toEqual(["last", "idle"]);
  });

  test("closing hands back what is left, takes nothing more, and wakes everybody", async () => {
    const queue = new EnvelopeQueue();
    queue.push(numbered("1"));
    queue.push(numbered("2"));
    expect(idOf(queue.take())).toBe("1");
    const idle = queue.idle();
    expect(queue.close().map(idOf)).toEqual(["2"]);
    expect(queue.push(numbered("3"))).toBe(false);
    await idle;
    await queue.arrival();
    expect(queue.take()).toBeUndefined();
  });
});
