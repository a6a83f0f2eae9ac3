// Protobuf messages: types that protobuf-es generates from a .proto file become message types. Shows a call and an
// event with protobuf payloads (application/x-protobuf), which .NET workers use too. The wire name is the full name in
// the .proto file: examples.weather.Forecast.
import assert from "node:assert/strict";
import { create } from "@bufbuild/protobuf";
import { AgentId, ClosureAgent, type MessageOf, RoutedAgent, rpc, TopicId, TypeSubscription } from "troupe";
import { GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost } from "troupe/grpc";
import { protobufMessage } from "troupe/protobuf";
import { AskForecastSchema, ForecastSchema } from "./gen/weather_pb.ts";

const Forecast = protobufMessage(ForecastSchema);
const AskForecast = protobufMessage(AskForecastSchema, { answer: Forecast });

class Forecaster extends RoutedAgent {
  @rpc(AskForecast)
  async forecast({ city, days }: MessageOf<typeof AskForecast>) {
    const forecast = create(ForecastSchema, { city, celsius: Array.from({ length: days }, (_, day) => 20 + day / 2) });
    await this.publishMessage(forecast, new TopicId("forecasts", city));
    return forecast;
  }
}

await using host = new GrpcWorkerAgentRuntimeHost("127.0.0.1:0");
await host.start();
await using runtime = new GrpcWorkerAgentRuntime(host.address);
await runtime.start();
runtime.addMessageSerializer([AskForecast, Forecast]);
await Forecaster.register(runtime, "forecaster", () => new Forecaster("forecasts the weather"));

let heard = (_forecast: MessageOf<typeof Forecast>) => {};
const published = new Promise<MessageOf<typeof Forecast>>((resolve) => {
  heard = resolve;
});
await ClosureAgent.registerClosure(runtime, "listener", (_agent, forecast) => heard(forecast), {
  types: Forecast,
  subscriptions: [({ agentType }) => new TypeSubscription("forecasts", agentType)],
});

// A message created by its type knows the type of its answer. With `create(AskForecastSchema, …)`, pass `{ answer:
// Forecast }` to sendMessage.
const ask = AskForecast.create({ city: "lisbon", days: 3 });
const answer = await runtime.sendMessage(ask, new AgentId("forecaster", "default"));
console.log(`the call's answer: ${answer.city} ${answer.celsius.join(" ")} °C`);
assert.deepEqual(answer.celsius, [20, 20.5, 21]);

const event = await published;
console.log(`the event:         ${event.city} ${event.celsius.join(" ")} °C, a ${event.$typeName}`);
assert.deepEqual(event, answer);
