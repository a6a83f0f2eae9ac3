import asyncio, sys

from autogen_agentchat.agents import AssistantAgent
from autogen_core import try_get_known_serializers_for_type
from autogen_ext.models.replay import ReplayChatCompletionClient
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime
from chat_participant import ChatParticipant, TurnTaken


def critic() -> ChatParticipant:
    model = ReplayChatCompletionClient(["The last line needs rain.", "APPROVE"])  # or OpenAIChatCompletionClient(...)
    return ChatParticipant(AssistantAgent("critic", model, description="finds what is wrong"))


async def main(address: str) -> None:
    runtime = GrpcWorkerAgentRuntime(address)
    await runtime.start()
    runtime.add_message_serializer(try_get_known_serializers_for_type(TurnTaken))
    await ChatParticipant.register(runtime, "critic", critic)
    print("the Python critic is ready", flush=True)
    await runtime.stop_when_signal()


asyncio.run(main(*sys.argv[1:]))
