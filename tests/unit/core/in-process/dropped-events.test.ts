import { expect, test } from "vitest";
import { z } from "zod";
import {
  defineMessage,
  handlerTable,
  RoutedAgent,
  SingleThreadedAgentRuntime,
  TopicId,
  TypeSubscription,
} from "../../../../src/core/index.ts";
import { Gate } from "../../../support/gate.ts";
import { RecordingLogger } from "../../../support/recording-logger.ts";

const Note = defineMessage("Note", z.object({ text: z.string() }));

test("a runtime counts the events that found no place at their agent, and they fail no run", async () => {
  const gate = new Gate();
  const seen: string[] = [];
  class Reader extends RoutedAgent {
    static override readonly handlers = handlerTable<Reader>().event(Note, async ({ text }) => {
      seen.push(text);
      await gate.opened;
    });
  }
  const runtime = new SingleThreadedAgentRuntime({ ignoreUnhandledExceptions: false, logger: new RecordingLogger() });
  await runtime.start();
  const options = { concurrency: "sequential", maxQueuedPerAgent: 1 } as const;
  await Reader.register(runtime, "reader", () => new Reader("reads"), options);
  await runtime.addSubscription(new TypeSubscription("notes", "reader"));
  for (const text of ["1", "2", "3", "4"]) await runtime.publishMessage(Note({ text }), new TopicId("notes", "k"));
  expect(runtime.droppedEventsCount).toBe(0);
  gate.open();
  await runtime.stopWhenIdle();
  expect(seen).toEqual(["1", "2"]);
  expect(runtime.droppedEventsCount).toBe(2);
  await runtime.close();
});
