"""AutoGen's side of the benchmark of events: `events.py publisher ADDRESS WORKERS | worker ADDRESS INDEX AGENTS`. Twin of
publisher.ts and worker.ts in bench/events."""

import asyncio
import json
import math
import sys
import time
from dataclasses import dataclass
from typing import List

from autogen_core import AgentId, MessageContext, RoutedAgent, TopicId, TypeSubscription, event
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime
from common import connect, read_line, tell

# As in bench/events/flow.ts.
LOT = 64
WINDOW_EVENTS = 1_024
STALLED_AFTER_S = 30

CONTENT = "x" * 75


@dataclass
class News:
    sentNs: int
    content: str


@dataclass
class Progressed:
    worker: int
    events: int


class Progress:
    def __init__(self, workers: int) -> None:
        self.events = [0] * workers
        self.news = asyncio.Event()

    def take(self, worker: int, events: int) -> None:
        self.events[worker] = events
        self.news.set()

    async def reached(self, events: int) -> None:
        while min(self.events) < events:
            self.news.clear()
            try:
                await asyncio.wait_for(self.news.wait(), STALLED_AFTER_S)
            except asyncio.TimeoutError:
                raise RuntimeError(f"events were lost: {events} are awaited, the workers tell of {self.events}")


class Publisher(RoutedAgent):
    def __init__(self, progress: Progress) -> None:
        super().__init__("publishes")
        self.progress = progress

    @event
    async def on_progressed(self, message: Progressed, ctx: MessageContext) -> None:
        self.progress.take(message.worker, message.events)


class Rounds:
    def __init__(self, runtime: GrpcWorkerAgentRuntime, progress: Progress) -> None:
        self.runtime = runtime
        self.progress = progress
        self.published = 0

    async def publish(self, sent_ns: int) -> None:
        sender, topic = AgentId("publisher", "1"), TopicId("news", "1")
        await self.runtime.publish_message(News(sent_ns, CONTENT), topic, sender=sender)

    async def flood(self, end: float) -> None:
        while time.perf_counter() < end:
            await self.progress.reached(self.published + LOT - WINDOW_EVENTS)
            for _ in range(LOT):
                await self.publish(0)
            self.published += LOT

    async def pace(self, started: float, seconds: float, per_second: float) -> None:
        events = math.ceil(seconds * per_second / LOT) * LOT
        for number in range(events):
            wait = started + number / per_second - time.perf_counter()
            if wait > 0:
                await asyncio.sleep(wait)
            await self.publish(time.monotonic_ns())
        self.published += events


async def serve_publisher(address: str, workers: str) -> None:
    runtime = await connect(address, News)
    progress = Progress(int(workers))
    await Publisher.register(runtime, "publisher", lambda: Publisher(progress))
    await runtime.add_subscription(TypeSubscription("progress", "publisher"))
    rounds = Rounds(runtime, progress)
    tell("ready")
    while line := await read_line():
        command = json.loads(line)
        seconds, per_second = command["seconds"], command["eventsPerSecond"]
        started, before = time.perf_counter(), rounds.published
        if per_second == 0:
            await rounds.flood(started + seconds)
        else:
            await rounds.pace(started, seconds, per_second)
        await progress.reached(rounds.published)
        tell("round", events=rounds.published - before, elapsedSeconds=time.perf_counter() - started)


class Tally:
    def __init__(self, runtime: GrpcWorkerAgentRuntime, worker: int, agents: int) -> None:
        self.runtime = runtime
        self.worker = worker
        self.agents = agents
        self.deliveries = 0
        self.reported = 0
        self.latencies_us: List[float] = []

    async def add(self, sent_ns: int) -> None:
        if sent_ns != 0:
            self.latencies_us.append((time.monotonic_ns() - sent_ns) / 1_000)
        self.deliveries += 1
        if self.deliveries % (LOT * self.agents) == 0:
            progressed = Progressed(self.worker, self.deliveries // self.agents)
            await self.runtime.publish_message(progressed, TopicId("progress", "1"))

    def report(self) -> None:
        tell("report", deliveries=self.deliveries - self.reported, latenciesUs=self.latencies_us)
        self.reported = self.deliveries
        self.latencies_us = []


class Reader(RoutedAgent):
    def __init__(self, tally: Tally) -> None:
        super().__init__("reads")
        self.tally = tally

    @event
    async def on_news(self, message: News, ctx: MessageContext) -> None:
        await self.tally.add(message.sentNs)


async def serve_worker(address: str, index_text: str, agents_text: str) -> None:
    index, agents = int(index_text), int(agents_text)
    runtime = await connect(address, Progressed)
    tally = Tally(runtime, index, agents)
    for number in range(index * agents, (index + 1) * agents):
        await Reader.register(runtime, f"agent{number}", lambda: Reader(tally))
        await runtime.add_subscription(TypeSubscription("news", f"agent{number}"))
    tell("ready")
    while await read_line():
        tally.report()


asyncio.run({"publisher": serve_publisher, "worker": serve_worker}[sys.argv[1]](*sys.argv[2:]))
