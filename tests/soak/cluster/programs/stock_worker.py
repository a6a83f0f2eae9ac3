"""A worker with AutoGen as it is published: `stock_worker.py ADDRESS TYPE`.

It serves an agent type of its own, and calls an agent of the TypeScript workers. It prints the sums of its calls.
"""

import asyncio
import sys
from dataclasses import dataclass

from autogen_core import AgentId, MessageContext, RoutedAgent, rpc, try_get_known_serializers_for_type
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime


@dataclass
class Ask:
    caller: str
    number: int
    text: str


@dataclass
class Told:
    caller: str
    number: int
    text: str


class Answerer(RoutedAgent):
    @rpc
    async def answer(self, message: Ask, ctx: MessageContext) -> Told:
        return Told(message.caller, message.number, message.text)


async def main(address: str, agent_type: str) -> None:
    runtime = GrpcWorkerAgentRuntime(address)
    await runtime.start()
    for message_type in (Ask, Told):
        runtime.add_message_serializer(try_get_known_serializers_for_type(message_type))
    await Answerer.register(runtime, agent_type, lambda: Answerer("answers"))
    print("ready", flush=True)
    started = answered = failed = wrong = 0
    while True:
        started += 1
        try:
            answer = await runtime.send_message(Ask(agent_type, started, ""), AgentId("echo", agent_type))
            answered += 1
            wrong += answer != Told(agent_type, started, "")
        except Exception:  # AutoGen's callers get no error codes
            failed += 1
        print(f"sums {started} {answered} {failed} {wrong}", flush=True)
        await asyncio.sleep(0.2)


asyncio.run(main(*sys.argv[1:]))
