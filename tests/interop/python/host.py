"""AutoGen's own host, driven by a test.

  python host.py '{"address": "127.0.0.1:0", "maxMessageBytes": null}'

Events: ready {address, port, ...versions}, log, state, stopped, error, failed.
Commands: {"cmd": "state", "id"} · {"cmd": "stop", "graceSeconds": 0}.
"""

import asyncio
import socket
from typing import Any, Dict, List, Tuple

from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntimeHost

from peer import Command, configuration, emit, run, serve_commands, versions


def free_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def start_host(address: str, options: List[Tuple[str, Any]]) -> Tuple[GrpcWorkerAgentRuntimeHost, str]:
    """AutoGen's host does not tell the port it got for port 0, so one is found before."""
    name, _, port = address.rpartition(":")
    for attempt in range(5):
        chosen = address if int(port) != 0 else f"{name}:{free_port(name)}"
        try:
            host = GrpcWorkerAgentRuntimeHost(chosen, extra_grpc_config=options)
            host.start()
            return host, chosen
        except RuntimeError:
            if int(port) != 0 or attempt == 4:
                raise
    raise AssertionError("unreachable")


def describe(host: GrpcWorkerAgentRuntimeHost) -> Dict[str, Any]:
    """What the host holds, for the record. Reads private fields: their names differ by generation."""
    servicer = host._servicer
    channels = getattr(servicer, "_data_connections", None)
    if channels is None:
        channels = getattr(servicer, "_send_queues", {})
    return {
        "channels": [str(client) for client in channels],
        "agentTypes": {name: str(client) for name, client in servicer._agent_type_to_client_id.items()},
        "pending": {str(client): sorted(calls) for client, calls in servicer._pending_responses.items() if calls},
        "subscriptions": len(servicer._subscription_manager._subscriptions),
    }


async def main() -> None:
    config = configuration()
    options: List[Tuple[str, Any]] = [("grpc.so_reuseport", 0)]
    if config.get("maxMessageBytes"):
        options.append(("grpc.max_receive_message_length", config["maxMessageBytes"]))
        options.append(("grpc.max_send_message_length", config["maxMessageBytes"]))
    host, address = start_host(config.get("address", "127.0.0.1:0"), options)
    await asyncio.sleep(0)
    emit("ready", role="host", address=address, port=int(address.rpartition(":")[2]), **versions())

    async def state(command: Command) -> None:
        emit("state", id=command.get("id"), **describe(host))

    async def stop(command: Command) -> None:
        await host.stop(grace=command.get("graceSeconds", 0))
        emit("stopped", id=command.get("id"))

    await serve_commands({"state": state, "stop": stop})


run(main)
