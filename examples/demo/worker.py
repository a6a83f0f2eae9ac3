"""A worker of the demo in Python, with AutoGen as it is published: `worker.py ADDRESS`."""

import asyncio
import os
import sys
from dataclasses import dataclass
from importlib.metadata import version

from autogen_core import (
    MessageContext,
    RoutedAgent,
    TopicId,
    event,
    rpc,
    try_get_known_serializers_for_type,
    type_subscription,
)
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime


@dataclass
class News:
    headline: str


@dataclass
class Heard:
    worker: str
    headline: str


@dataclass
class AskForPoem:
    about: str


@dataclass
class Poem:
    text: str


@type_subscription("news")
class Reader(RoutedAgent):
    @event
    async def read(self, message: News, ctx: MessageContext) -> None:
        print(f"{self.id} reads: {message.headline}", flush=True)
        await self.publish_message(Heard("python", message.headline), TopicId("heard", "demo"))


class Poet(RoutedAgent):
    @rpc
    async def write(self, message: AskForPoem, ctx: MessageContext) -> Poem:
        print(f"{self.id} is asked for a poem by {ctx.sender}", flush=True)
        return Poem(f"from __future__ import {message.about}")


async def main() -> None:
    runtime = GrpcWorkerAgentRuntime(sys.argv[1])
    await runtime.start()
    for message_type in (Heard, Poem):  # AutoGen adds by itself only the types that handlers take
        runtime.add_message_serializer(try_get_known_serializers_for_type(message_type))
    await Reader.register(runtime, "reader_python", lambda: Reader("reads the news"))
    await Poet.register(runtime, "poet_python", lambda: Poet("writes poems"))
    print(f"ready (process {os.getpid()}, Python {sys.version.split()[0]}, AutoGen {version('autogen-core')})", flush=True)
    await runtime.stop_when_signal()


asyncio.run(main())
