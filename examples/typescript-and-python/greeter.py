import asyncio, sys
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, rpc, try_get_known_serializers_for_type
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime


@dataclass
class Greeting:
    content: str


@dataclass
class AskToGreet:
    name: str


class FrenchGreeter(RoutedAgent):
    @rpc
    async def greet(self, message: AskToGreet, ctx: MessageContext) -> Greeting:
        return Greeting(content=f"Bonjour, {message.name} !")


async def main(address: str = "127.0.0.1:50051") -> None:
    runtime = GrpcWorkerAgentRuntime(address)
    await runtime.start()
    runtime.add_message_serializer(try_get_known_serializers_for_type(Greeting))
    await FrenchGreeter.register(runtime, "french_greeter", lambda: FrenchGreeter("greets in French"))
    greeting = await runtime.send_message(AskToGreet("Ada"), AgentId("greeter", "default"))  # a TypeScript agent
    print(greeting.content, flush=True)  # Hello, Ada! Bonjour, Ada !
    await runtime.stop()


asyncio.run(main(*sys.argv[1:]))
