"""GetState and SaveState through the stubs that AutoGen 0.4.0 and 0.4.4 were published with (protocol.md §1.7).

  python state_store.py '{"host": "127.0.0.1:50051", "clientId": "c"}'      gen 1 has no client id: leave it out

Commands: {"cmd": "save", "id", "agent": "a/k", "text", "eTag"} -> saved {id, fields} | error
          {"cmd": "load", "id", "agent": "a/k"} -> loaded {id, fields, state: {agent, eTag, text | null}} | error
`fields` are those that the generation's own answer type knows beside the state: none in gen 2.
"""

from typing import Any, Dict

import grpc.aio
from autogen_ext.runtimes.grpc.protos import agent_worker_pb2, agent_worker_pb2_grpc

from peer import Command, configuration, emit, run, serve_commands, versions


def agent_id(text: str) -> Any:
    type_, _, key = text.partition("/")
    return agent_worker_pb2.AgentId(type=type_, key=key)


def plain_fields(answer: Any) -> Dict[str, Any]:
    return {field.name: getattr(answer, field.name) for field in answer.DESCRIPTOR.fields if field.message_type is None}


async def main() -> None:
    config = configuration()
    stub: Any = agent_worker_pb2_grpc.AgentRpcStub(grpc.aio.insecure_channel(config["host"]))
    metadata = [("client-id", config["clientId"])] if "clientId" in config else []
    emit("ready", role="raw", **versions())

    async def save(command: Command) -> None:
        state = agent_worker_pb2.AgentState(agent_id=agent_id(command["agent"]), eTag=command["eTag"], text_data=command["text"])
        answer = await stub.SaveState(state, metadata=metadata)
        emit("saved", id=command["id"], fields=plain_fields(answer))

    async def load(command: Command) -> None:
        answer = await stub.GetState(agent_id(command["agent"]), metadata=metadata)
        state = answer.agent_state
        text = state.text_data if state.WhichOneof("data") == "text_data" else None
        shown = {"agent": f"{state.agent_id.type}/{state.agent_id.key}", "eTag": state.eTag, "text": text}
        emit("loaded", id=command["id"], fields=plain_fields(answer), state=shown)

    async def stop(command: Command) -> None:
        emit("stopped", id=command.get("id"))

    await serve_commands({"save": save, "load": load, "stop": stop})


run(main)
