"""AutoGen's side of the benchmark in process. Twin of program.ts in bench/in-process."""

import asyncio
import json
import time
from dataclasses import dataclass
from typing import Any, Dict, List

from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    TopicId,
    TypeSubscription,
    event,
    rpc,
)
from common import percentiles_us, read_line, tell

CONTENT = "x" * 86
LOT = 64  # events under way at most


@dataclass
class Ping:
    content: str


class Answerer(RoutedAgent):
    @rpc
    async def answer(self, message: Ping, ctx: MessageContext) -> Ping:
        return message


class Deliveries:
    def __init__(self) -> None:
        self.count = 0
        self.awaited = 0
        self.complete = asyncio.Event()

    def add(self) -> None:
        self.count += 1
        if self.count == self.awaited:
            self.complete.set()

    def expect(self, count: int) -> None:
        self.awaited = self.count + count
        self.complete.clear()


class Listener(RoutedAgent):
    def __init__(self, deliveries: Deliveries) -> None:
        super().__init__("listens")
        self.deliveries = deliveries

    @event
    async def on_ping(self, message: Ping, ctx: MessageContext) -> None:
        self.deliveries.add()


async def send_round(runtime: SingleThreadedAgentRuntime, seconds: float, in_flight: int) -> Dict[str, Any]:
    answerer = AgentId("answerer", "1")
    durations: List[float] = []
    started = time.perf_counter()
    end = started + seconds

    async def keep_sending() -> None:
        now = time.perf_counter()
        while now < end:
            await runtime.send_message(Ping(CONTENT), answerer)
            answered = time.perf_counter()
            durations.append(answered - now)
            now = answered

    await asyncio.gather(*(keep_sending() for _ in range(in_flight)))
    elapsed = time.perf_counter() - started
    return {"count": len(durations), "perSecond": len(durations) / elapsed, **percentiles_us(durations)}


async def publish_round(
    runtime: SingleThreadedAgentRuntime, seconds: float, agents: int, deliveries: Deliveries
) -> Dict[str, Any]:
    topic = TopicId(f"to-{agents}", "1")
    started = time.perf_counter()
    count = 0
    while time.perf_counter() - started < seconds:
        deliveries.expect(LOT * agents)
        for _ in range(LOT):
            await runtime.publish_message(Ping(CONTENT), topic)
        await deliveries.complete.wait()
        count += LOT * agents
    return {"count": count, "perSecond": count / (time.perf_counter() - started)}


async def serve() -> None:
    deliveries = Deliveries()
    runtime = SingleThreadedAgentRuntime()
    await Answerer.register(runtime, "answerer", lambda: Answerer("answers"))
    for index in range(32):
        agent_type = f"listener_{index}"
        await Listener.register(runtime, agent_type, lambda: Listener(deliveries))
        await runtime.add_subscription(TypeSubscription("to-32", agent_type))
    await runtime.add_subscription(TypeSubscription("to-1", "listener_0"))
    runtime.start()
    tell("ready")
    while line := await read_line():
        command = json.loads(line)
        seconds, load = command["seconds"], command["load"]
        if load["kind"] == "send":
            tell("round", **await send_round(runtime, seconds, load["inFlight"]))
        else:
            tell("round", **await publish_round(runtime, seconds, load["agents"], deliveries))


asyncio.run(serve())
