// Publish and subscribe: an event reaches every agent whose type subscribes to its topic, and nobody else.
// Shows the two halves of a topic: its type picks the agents' type, its source becomes the agent's key.
// So each city gets its own forecaster, made when its first measurement arrives.
import assert from "node:assert/strict";
import {
  DefaultTopicId,
  defineMessage,
  event,
  type MessageContext,
  type MessageOf,
  RoutedAgent,
  SingleThreadedAgentRuntime,
  TopicId,
  typeSubscription,
} from "troupe";
import { z } from "zod";

const Measured = defineMessage("Measured", z.object({ celsius: z.number() }));
const Warning = defineMessage("Warning", z.object({ text: z.string() }));
const heard: string[] = [];

@typeSubscription("weather")
class Forecaster extends RoutedAgent {
  @event(Measured)
  async measured({ celsius }: MessageOf<typeof Measured>) {
    heard.push(`${this.id} measured ${celsius} °C`);
    // Without a source, a topic takes the key of the agent that publishes: here the city.
    if (celsius < 0) await this.publishMessage(Warning({ text: "ice on the roads" }), new DefaultTopicId("warnings"));
  }
}

@typeSubscription("warnings")
class Radio extends RoutedAgent {
  @event(Warning)
  read({ text }: MessageOf<typeof Warning>, context: MessageContext) {
    heard.push(`${this.id} warns of ${text}, says ${context.sender}`);
  }
}

await using runtime = new SingleThreadedAgentRuntime();
await runtime.start();
await Forecaster.register(runtime, "forecaster", () => new Forecaster("watches a city"));
await Radio.register(runtime, "radio", () => new Radio("reads warnings aloud"));

await runtime.publishMessage(Measured({ celsius: 24 }), new TopicId("weather", "lisbon"));
await runtime.publishMessage(Measured({ celsius: -3 }), new TopicId("weather", "oslo"));
await runtime.publishMessage(Measured({ celsius: 99 }), new TopicId("kitchen", "oven")); // nobody subscribes
await runtime.stopWhenIdle();

for (const line of heard) console.log(line);
assert.deepEqual(heard, [
  "forecaster/lisbon measured 24 °C",
  "forecaster/oslo measured -3 °C",
  "radio/oslo warns of ice on the roads, says forecaster/oslo",
]);
