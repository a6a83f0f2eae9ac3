"""AutoGen's side of the rpc benchmark: `peer.py host | target ADDRESS | caller ADDRESS`. Twin of target.ts and caller.ts."""

import asyncio
import json
import logging
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any, List

from autogen_core import AgentId, MessageContext, RoutedAgent, rpc, try_get_known_serializers_for_type
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime, GrpcWorkerAgentRuntimeHost

PAYLOAD = "x" * 86
logging.disable(logging.CRITICAL)  # as in production: nothing is written


@dataclass
class Ping:
    content: str


class Target(RoutedAgent):
    @rpc
    async def answer(self, message: Ping, ctx: MessageContext) -> Ping:
        return message


def tell(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


async def read_line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def serve_host() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    host = GrpcWorkerAgentRuntimeHost(address)
    host.start()
    tell("ready", address=address)
    await read_line()
    await host.stop(grace=0)


async def connect(address: str) -> GrpcWorkerAgentRuntime:
    runtime = GrpcWorkerAgentRuntime(address)
    await runtime.start()
    runtime.add_message_serializer(try_get_known_serializers_for_type(Ping))
    return runtime


async def serve_target(address: str) -> None:
    runtime = await connect(address)
    await Target.register(runtime, "target", lambda: Target("answers"))
    tell("ready")
    await read_line()


async def call(address: str) -> None:
    runtime = await connect(address)
    target, sender = AgentId("target", "1"), AgentId("caller", "1")
    tell("ready")
    while line := await read_line():
        command = json.loads(line)
        durations: List[float] = []
        started = time.perf_counter()
        end = started + command["seconds"]

        async def keep_calling() -> None:
            now = time.perf_counter()
            while now < end:
                await runtime.send_message(Ping(PAYLOAD), target, sender=sender)
                answered = time.perf_counter()
                durations.append(answered - now)
                now = answered

        await asyncio.gather(*(keep_calling() for _ in range(command["inFlight"])))
        elapsed = time.perf_counter() - started
        durations.sort()
        at = lambda share: durations[min(len(durations) - 1, int(len(durations) * share))] * 1e6
        tell("round", perSecond=len(durations) / elapsed, p50Us=at(0.5), p99Us=at(0.99))


asyncio.run({"host": serve_host, "target": serve_target, "caller": call}[sys.argv[1]](*sys.argv[2:]))
