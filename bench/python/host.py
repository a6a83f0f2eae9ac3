"""AutoGen's own host."""

import asyncio
import socket

from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntimeHost
from common import read_line, tell


async def serve() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    host = GrpcWorkerAgentRuntimeHost(address)
    host.start()
    tell("ready", address=address)
    await read_line()
    await host.stop(grace=0)


asyncio.run(serve())
