"""grpc-python as a bare client and server of agents.AgentRpc: any bytes in, all bytes out. Needs only grpcio.

  python raw_grpc.py '{}'            {"fullFrames": true} shows long frames in full

Client commands:
  {"cmd": "unary", "id", "address", "method", "hex", "metadata"?, "clientId"?, "deadlineMs"?, "gzip"?, "conn"?}
      -> unary {id, code, details, hex?, initialMetadata, trailers}
  {"cmd": "open", "id", "address", "method"?="OpenChannel", "metadata"?, "clientId"?, "deadlineMs"?, "gzip"?, "conn"?}
      -> opened {id} · headers {id, metadata} · frame {id, bytes, hex} ... · closed {id, code, details, trailers}
  {"cmd": "write", "id", "hex"} -> written {id, ok} · {"cmd": "halfClose", "id"} -> halfClosed · {"cmd": "cancel", "id"} -> cancelling
  {"cmd": "disconnect", "conn"} -> disconnected
Calls to one address share a connection; `conn` names a further one. `metadata` is [[key, value], ...] and may repeat a key.

Server commands:
  {"cmd": "serve", "id", "address"?="127.0.0.1:0", "auto"?: {method: {hex} | {code, details}}, "silent"?, "gzip"?} -> serving {id, address, port}
      calls then appear as: call {call, method, metadata, peer} · request {call, bytes, hex} ... · callHalfClosed {call} · callEnded {call, how}
      `auto` answers the first message of a call; without an entry: {hex: ""} for unary methods, nothing for streams.
      `silent`: streams send no headers before their first message (as AutoGen's host); else they do at once.
  {"cmd": "reply", "call", "hex"} · {"cmd": "finish", "call", "code"?="OK", "details"?, "trailers"?} -> done {id}
  {"cmd": "stopServing", "id", "graceSeconds"?} -> done {id}
Both: {"cmd": "stop"} -> stopped.
"""

import asyncio
from typing import Any, Dict, List, Optional, Tuple

import grpc
import grpc.aio

from peer import Command, configuration, emit, run, serve_commands, shown_bytes, versions

SERVICE = "/agents.AgentRpc/"
STREAMS = ("OpenChannel", "OpenControlChannel")
UNLIMITED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def same(data: bytes) -> bytes:
    return data


def pairs(metadata: Any) -> List[List[str]]:
    return [[key, value if isinstance(value, str) else value.hex()] for key, value in (metadata or ())]


def call_metadata(command: Command) -> Tuple[Tuple[str, str], ...]:
    given = [(key, value) for key, value in command.get("metadata", [])]
    if "clientId" in command:
        given.append(("client-id", command["clientId"]))
    return tuple(given)


def call_options(command: Command) -> Dict[str, Any]:
    return {
        "metadata": call_metadata(command),
        "timeout": command["deadlineMs"] / 1000 if "deadlineMs" in command else None,
        "compression": grpc.Compression.Gzip if command.get("gzip") else None,
    }


class RawClient:
    def __init__(self, full_frames: bool) -> None:
        self._full = full_frames
        self._connections: Dict[str, Any] = {}
        self._streams: Dict[Any, Any] = {}
        # grpc.aio takes one write of a call at a time; a lock hands them on in the order of the commands.
        self._writing: "Dict[Any, asyncio.Lock]" = {}
        self._tasks: "set[asyncio.Task[None]]" = set()

    def _connection(self, command: Command) -> Any:
        key = command.get("conn", command["address"])
        if key not in self._connections:
            # Without a shared subchannel pool, two names mean two TCP connections.
            options = [*UNLIMITED, ("grpc.use_local_subchannel_pool", 1), ("grpc.enable_retries", 0)]
            self._connections[key] = grpc.aio.insecure_channel(command["address"], options=options)
        return self._connections[key]

    async def unary(self, command: Command) -> None:
        method = self._connection(command).unary_unary(SERVICE + command["method"], same, same)
        call = method(bytes.fromhex(command["hex"]), **call_options(command))
        answer: Dict[str, Any] = {}
        try:
            answer = shown_bytes(await call, self._full)
        except grpc.RpcError:
            pass
        emit(
            "unary",
            id=command["id"],
            code=(await call.code()).name,
            details=await call.details(),
            initialMetadata=pairs(await call.initial_metadata()),
            trailers=pairs(await call.trailing_metadata()),
            **answer,
        )

    async def open(self, command: Command) -> None:
        id_ = command["id"]
        method = self._connection(command).stream_stream(
            SERVICE + command.get("method", "OpenChannel"), same, same
        )
        call = method(**call_options(command))
        self._streams[id_] = call
        self._writing[id_] = asyncio.Lock()
        emit("opened", id=id_)
        for watching in (self._watch_headers(id_, call), self._read(id_, call)):
            task = asyncio.create_task(watching)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _watch_headers(self, id_: Any, call: Any) -> None:
        try:
            metadata = await call.initial_metadata()
        except (grpc.RpcError, asyncio.CancelledError):
            return
        emit("headers", id=id_, metadata=pairs(metadata))

    async def _read(self, id_: Any, call: Any) -> None:
        try:
            while True:
                frame = await call.read()
                if frame is grpc.aio.EOF:
                    break
                emit("frame", id=id_, **shown_bytes(frame, self._full))
        except (grpc.RpcError, asyncio.CancelledError):
            pass
        code = await call.code()
        emit("closed", id=id_, code=code.name, details=await call.details(), trailers=pairs(await call.trailing_metadata()))

    async def write(self, command: Command) -> None:
        try:
            async with self._writing[command["id"]]:
                await self._streams[command["id"]].write(bytes.fromhex(command["hex"]))
            emit("written", id=command["id"], ok=True)
        except (grpc.RpcError, asyncio.InvalidStateError) as error:
            emit("written", id=command["id"], ok=False, **{"class": type(error).__name__}, text=str(error))

    async def half_close(self, command: Command) -> None:
        async with self._writing[command["id"]]:
            await self._streams[command["id"]].done_writing()
        emit("halfClosed", id=command["id"])

    async def cancel(self, command: Command) -> None:
        self._streams[command["id"]].cancel()
        emit("cancelling", id=command["id"])

    async def disconnect(self, command: Command) -> None:
        await self._connections.pop(command["conn"]).close()
        emit("disconnected", conn=command["conn"])


class RawServer(grpc.GenericRpcHandler):
    """Every method is served as a stream of bytes both ways; on the wire a unary call is a stream of one."""

    def __init__(self, full_frames: bool) -> None:
        self._full = full_frames
        self._auto: Dict[str, Dict[str, Any]] = {}
        self._silent = False
        self._server: Optional[Any] = None
        self._calls: Dict[int, Any] = {}
        self._writing: "Dict[int, asyncio.Lock]" = {}
        self._finished: "Dict[int, asyncio.Future[Command]]" = {}

    async def serve(self, command: Command) -> None:
        self._auto = command.get("auto", {})
        self._silent = command.get("silent", False)
        compression = grpc.Compression.Gzip if command.get("gzip") else None
        self._server = grpc.aio.server(options=[*UNLIMITED, ("grpc.so_reuseport", 0)], compression=compression)
        self._server.add_generic_rpc_handlers((self,))
        address = command.get("address", "127.0.0.1:0")
        port = self._server.add_insecure_port(address)
        await self._server.start()
        emit("serving", id=command.get("id"), address=f"{address.rpartition(':')[0]}:{port}", port=port)

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method.rpartition("/")[2]

        async def behaviour(requests: Any, context: Any) -> None:
            await self._carry_out(method, requests, context)

        return grpc.stream_stream_rpc_method_handler(behaviour, same, same)

    async def _carry_out(self, method: str, requests: Any, context: Any) -> None:
        number = len(self._finished) + 1
        self._calls[number] = context
        self._writing[number] = asyncio.Lock()
        finished = self._finished[number] = asyncio.get_running_loop().create_future()
        emit("call", call=number, method=method, metadata=pairs(context.invocation_metadata()), peer=context.peer())
        if method in STREAMS and not self._silent:
            await context.send_initial_metadata(())
        reading = asyncio.create_task(self._read(number, method, requests))
        how = "finished"
        try:
            ending = await finished
            if ending.get("trailers"):
                context.set_trailing_metadata(tuple((key, value) for key, value in ending["trailers"]))
            if ending.get("code", "OK") != "OK":
                await context.abort(grpc.StatusCode[ending["code"]], ending.get("details", ""))
        except asyncio.CancelledError:
            how = "cancelled"
            raise
        finally:
            reading.cancel()
            self._calls.pop(number, None)
            emit("callEnded", call=number, how=how)

    async def _read(self, number: int, method: str, requests: Any) -> None:
        first = True
        async for frame in requests:
            emit("request", call=number, **shown_bytes(frame, self._full))
            if first:
                await self._answer_by_itself(number, method)
            first = False
        emit("callHalfClosed", call=number)

    async def _answer_by_itself(self, number: int, method: str) -> None:
        scripted = self._auto.get(method, None if method in STREAMS else {"hex": ""})
        if scripted is None:
            return
        if "hex" in scripted:
            await self._calls[number].write(bytes.fromhex(scripted["hex"]))
        if "code" in scripted or method not in STREAMS:
            self._end(number, scripted)

    def _end(self, number: int, ending: Command) -> None:
        if not self._finished[number].done():
            self._finished[number].set_result(ending)

    async def reply(self, command: Command) -> None:
        async with self._writing[command["call"]]:
            await self._calls[command["call"]].write(bytes.fromhex(command["hex"]))
        emit("done", id=command.get("id"))

    async def finish(self, command: Command) -> None:
        self._end(command["call"], command)
        emit("done", id=command.get("id"))

    async def stop_serving(self, command: Command) -> None:
        if self._server is not None:
            await self._server.stop(command.get("graceSeconds"))
        emit("done", id=command.get("id"))


async def main() -> None:
    full_frames = configuration().get("fullFrames", False)
    client, server = RawClient(full_frames), RawServer(full_frames)
    emit("ready", role="raw", **versions())

    async def stop(command: Command) -> None:
        await server.stop_serving({})
        emit("stopped", id=command.get("id"))

    await serve_commands(
        {
            "unary": client.unary,
            "open": client.open,
            "write": client.write,
            "halfClose": client.half_close,
            "cancel": client.cancel,
            "disconnect": client.disconnect,
            "serve": server.serve,
            "reply": server.reply,
            "finish": server.finish,
            "stopServing": server.stop_serving,
            "stop": stop,
        }
    )


run(main)
