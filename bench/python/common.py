"""What the Python programs of the benchmarks share. Each is driven by lines of JSON on its stdin, and tells by such lines."""

import asyncio
import json
import logging
import sys
from typing import Any, List, Type

from autogen_core import try_get_known_serializers_for_type
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime

logging.disable(logging.CRITICAL)  # as in production: nothing is written


def tell(event: str, **fields: Any) -> None:
    print(json.dumps({"event": event, **fields}), flush=True)


async def read_line() -> str:
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


async def connect(address: str, *message_types: Type[Any]) -> GrpcWorkerAgentRuntime:
    runtime = GrpcWorkerAgentRuntime(address)
    await runtime.start()
    for message_type in message_types:
        runtime.add_message_serializer(try_get_known_serializers_for_type(message_type))
    return runtime


def percentiles_us(seconds: List[float]) -> Any:
    seconds.sort()
    at = lambda share: seconds[min(len(seconds) - 1, int(len(seconds) * share))] * 1e6
    return {"p50Us": at(0.5), "p99Us": at(0.99)} if seconds else {}
