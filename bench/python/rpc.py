"""AutoGen's side of the benchmark of calls: `rpc.py target ADDRESS | caller ADDRESS`. Twin of target.ts and caller.ts in bench/rpc."""

import asyncio
import json
import sys
import time
from dataclasses import dataclass
from typing import List

from autogen_core import AgentId, MessageContext, RoutedAgent, rpc
from common import connect, percentiles_us, read_line, tell


@dataclass
class Ping:
    content: str


class Target(RoutedAgent):
    @rpc
    async def answer(self, message: Ping, ctx: MessageContext) -> Ping:
        return message


async def serve_target(address: str) -> None:
    runtime = await connect(address, Ping)
    await Target.register(runtime, "target", lambda: Target("answers"))
    tell("ready")
    await read_line()


async def call(address: str) -> None:
    runtime = await connect(address, Ping)
    target, sender = AgentId("target", "1"), AgentId("caller", "1")
    tell("ready")
    while line := await read_line():
        command = json.loads(line)
        content = "x" * (command["payloadBytes"] - 14)
        durations: List[float] = []
        started = time.perf_counter()
        end = started + command["seconds"]

        async def keep_calling() -> None:
            now = time.perf_counter()
            while now < end:
                await runtime.send_message(Ping(content), target, sender=sender)
                answered = time.perf_counter()
                durations.append(answered - now)
                now = answered

        await asyncio.gather(*(keep_calling() for _ in range(command["inFlight"])))
        elapsed = time.perf_counter() - started
        count = len(durations)
        tell("round", count=count, perSecond=count / elapsed, **percentiles_us(durations))


asyncio.run({"target": serve_target, "caller": call}[sys.argv[1]](*sys.argv[2:]))
