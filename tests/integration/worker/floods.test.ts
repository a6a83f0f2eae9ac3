import { describe, expect, test } from "vitest";
import { z } from "zod";
import { AgentId, defineMessage, TopicId } from "../../../src/core/index.ts";
import type { WorkerRuntimeOptions } from "../../../src/worker/index.ts";
import { RecordingLogger } from "../../support/recording-logger.ts";
import { next, responseFrame } from "../../support/worker/frames.ts";
import { MyMessage } from "../../support/worker/messages.ts";
import { openStage, settled } from "../../support/worker/stage.ts";

const Counted = defineMessage("Counted", z.object({ at: z.any() }));
const note = (content: string) => MyMessage({ content });
const topic = new TopicId("t", "s");
const target = new AgentId("b", "k");

/** A worker whose host has stopped reading. */
async function openSlow(options: Partial<WorkerRuntimeOptions>) {
  const stage = await openStage(
    { maxOutboxBytes: 1_000_000, ...options },
    { windowBytes: 1_000, highWaterBytes: 1_000 },
  );
  await stage.worker.start();
  const channel = await stage.host.channels.take();
  channel.stream.pause();
  return { ...stage, channel };
}

describe("a worker whose program sends much at once", () => {
  test("costs little for a flood that nobody awaits: one stack, and two lines in the log", async () => {
    const logger = new RecordingLogger();
    await using stage = await openSlow({ maxOutboxMessages: 10, logger });
    const { worker, channel } = stage;
    const encoded = new Set<number>();
    const counting = (number: number) => ({ toJSON: () => encoded.add(number).size });
    const flood = Array.from({ length: 1_000 }, (_, number) =>
      worker.publishMessage(Counted({ at: counting(number) }), topic),
    );
    const outcomes = Promise.allSettled(flood);
    await settled();
    channel.stream.resume();
    const refused = (await outcomes).flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(refused.length).toBeGreaterThan(900);
    expect(encoded.size).toBe(flood.length - refused.length);
    expect(new Set(refused).size).toBe(refused.length);
    expect(refused.filter(({ stack }) => /\n\s+at /.test(stack))).toEqual([refused[0]]);
    await worker.publishMessage(note("next"), topic);
    await settled();
    expect(logger.texts("warn")).toEqual([expect.stringContaining("Messages are refused as overloaded from now on.")]);
    expect(logger.texts("info")).toContain(`The send queue has room again. ${refused.length} messages were refused.`);
  });

  test("gets all the calls of one Promise.all answered, within bounds that are as large", async () => {
    await using stage = await openSlow({ maxOutboxMessages: 500 });
    const { worker, channel } = stage;
    const calls = Promise.all(Array.from({ length: 1_000 }, () => worker.sendMessage(note("q"), target)));
    await settled();
    channel.stream.resume();
    for (let answered = 0; answered < 1_000; answered += 1)
      channel.send(responseFrame((await next(channel, "request")).requestId));
    expect(await calls).toHaveLength(1_000);
  });
});
