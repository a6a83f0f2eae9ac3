"""AutoGen's side of the benchmark of memory: `agent_memory.py ADDRESS COUNT`. Twin of worker.ts in bench/memory."""

import asyncio
import gc
import sys
import tracemalloc
from dataclasses import dataclass
from typing import Any, Callable

from autogen_core import AgentId, MessageContext, RoutedAgent, event
from common import connect, read_line, tell


@dataclass
class Greeting:
    content: str


class Greeter(RoutedAgent):
    def __init__(self) -> None:
        super().__init__("greets")
        self.greeted = 0

    @event
    async def on_greeting(self, message: Greeting, ctx: MessageContext) -> None:
        self.greeted += 1


class PlainGreeter:
    def __init__(self) -> None:
        self.greeted = 0


def used_bytes() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


def bytes_of_each(count: int, make: Callable[[], Any]) -> float:
    kept = [None] * count
    before = used_bytes()
    for index in range(count):
        kept[index] = make()
    return (used_bytes() - before) / count


async def measure(address: str, count: int) -> None:
    runtime = await connect(address, Greeting)
    await Greeter.register(runtime, "greeter", Greeter)
    await runtime.get(AgentId("greeter", "warm-up"), lazy=False)
    tracemalloc.start()
    plain = bytes_of_each(count, PlainGreeter)
    before = used_bytes()
    # Made without an event to each, which would take minutes: an event leaves nothing behind.
    for index in range(count):
        await runtime.get(AgentId("greeter", f"conversation-{index}"), lazy=False)
    live = (used_bytes() - before) / count
    tell("measured", plainBytes=plain, liveBytes=live)
    await read_line()


asyncio.run(measure(sys.argv[1], int(sys.argv[2])))
