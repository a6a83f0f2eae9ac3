"""A thinking agent in Python: a stock worker of AutoGen 0.7.5."""

import asyncio, sys
from dataclasses import dataclass

from autogen_core import MessageContext, RoutedAgent, rpc, try_get_known_serializers_for_type
from autogen_core.models import ChatCompletionClient, SystemMessage, UserMessage
from autogen_ext.models.replay import ReplayChatCompletionClient
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime


@dataclass
class Forecast:
    text: str


@dataclass
class AskForecast:
    city: str


def model_for(city: str) -> ChatCompletionClient:
    return ReplayChatCompletionClient([f"In {city} it will be sunny, 24 degrees."])  # or OpenAIChatCompletionClient(...)


class Forecaster(RoutedAgent):
    @rpc
    async def forecast(self, message: AskForecast, ctx: MessageContext) -> Forecast:
        asked = [SystemMessage(content="You know the weather."), UserMessage(content=message.city, source="concierge")]
        result = await model_for(message.city).create(asked, cancellation_token=ctx.cancellation_token)
        return Forecast(text=str(result.content))


async def main(address: str) -> None:
    runtime = GrpcWorkerAgentRuntime(address)
    await runtime.start()
    runtime.add_message_serializer(try_get_known_serializers_for_type(Forecast))
    await Forecaster.register(runtime, "forecaster", lambda: Forecaster("knows the weather"))
    print("the forecaster is ready", flush=True)
    await runtime.stop_when_signal()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
