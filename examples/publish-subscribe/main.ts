// Publish and subscribe: an event reaches exactly the agents whose type subscribes to its topic. Shows the two parts of
// a topic: its type selects the agent type, its source becomes the agent's key. So each city gets its own forecaster,
// created when its first measurement arrives.
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
    // A topic without a source takes the key of the publishing agent: here the city.
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
await runtime.publishMessage(Measured({ celsius: 99 }), new TopicId("kitchen", "oven")); // no agent type subscribes
await runtime.stopWhenIdle();

for (const line of heard) console.log(line);
assert.deepEqual(heard, [
  "forecaster/lisbon measured 24 °C",
  "forecaster/oslo measured -3 °C",
  "radio/oslo warns of ice on the roads, says forecaster/oslo",
]);
