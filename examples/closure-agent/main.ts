// Closure agent: a function that acts as an agent. Shows the usual case: ordinary code waits for what agents publish,
// here three results from three workers. The closure gets its own context (id, sendMessage, publishMessage), the
// message, and the message's context.
import assert from "node:assert/strict";
import {
  ClosureAgent,
  defineMessage,
  event,
  type MessageOf,
  RoutedAgent,
  SingleThreadedAgentRuntime,
  TopicId,
  TypeSubscription,
  typeSubscription,
} from "troupe";
import { z } from "zod";

const Task = defineMessage("Task", z.object({ text: z.string() }));
const Result = defineMessage("Result", z.object({ length: z.number() }));

@typeSubscription("tasks")
class Measurer extends RoutedAgent {
  @event(Task)
  async measure(task: MessageOf<typeof Task>) {
    await this.publishMessage(Result({ length: task.text.length }), new TopicId("results", "default"));
  }
}

await using runtime = new SingleThreadedAgentRuntime();
await runtime.start();
await Measurer.register(runtime, "measurer", () => new Measurer("measures texts"));

const lengths: number[] = [];
await ClosureAgent.registerClosure(runtime, "collector", (_agent, result) => void lengths.push(result.length), {
  types: Result,
  subscriptions: [({ agentType }) => new TypeSubscription("results", agentType)],
});

for (const text of ["a", "few", "words"]) {
  await runtime.publishMessage(Task({ text }), new TopicId("tasks", text));
}
await runtime.stopWhenIdle();

console.log(`collected the lengths ${lengths.join(", ")}`);
assert.deepEqual(lengths.toSorted(), [1, 3, 5]);
