"""A worker of the cluster in Python, with AutoGen as it is published: `worker.py ADDRESS`.

It serves an agent that greets. Once that was asked, the program adds 1 to a counter of the TypeScript workers until SIGTERM.
"""

import asyncio
import signal
import sys
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, rpc, try_get_known_serializers_for_type
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime


@dataclass
class Greeting:
    content: str


@dataclass
class AskToGreet:
    name: str


@dataclass
class Add:
    value: int


@dataclass
class Total:
    value: int


asked = asyncio.Event()


class Greeter(RoutedAgent):
    @rpc
    async def greet(self, message: AskToGreet, ctx: MessageContext) -> Greeting:
        asked.set()
        return Greeting(f"Bonjour, {message.name} ! (Python)")


async def main(address: str) -> None:
    stopping = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopping.set)
    runtime = GrpcWorkerAgentRuntime(address)
    await runtime.start()
    for message_type in (Add, Total, Greeting):  # AutoGen adds by itself only the types that handlers take
        runtime.add_message_serializer(try_get_known_serializers_for_type(message_type))
    await Greeter.register(runtime, "python_greeter", lambda: Greeter("greets in French"))
    print("ready", flush=True)
    await asked.wait()
    answered = failed = 0
    while not stopping.is_set():
        try:
            await runtime.send_message(Add(1), AgentId("counter", "python"))
            answered += 1
            await asyncio.sleep(0.05)
        except Exception as error:  # AutoGen's callers get no error codes
            failed += 1
            print(f"a call failed, the next one follows: {error}", flush=True)
            await asyncio.sleep(0.5)
    print(f"{answered} calls answered, {failed} failed", flush=True)
    await runtime.stop()


asyncio.run(main(sys.argv[1]))
