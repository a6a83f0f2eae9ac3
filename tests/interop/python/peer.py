"""How every peer talks to the test that started it: one JSON object per line.

Out (stdout): {"event": ..., "t": milliseconds since start, ...}. In (stdin): {"cmd": ..., "id": ..., ...}.
A peer ends at once when its stdin closes, so that it never outlives its test.
"""

import asyncio
import hashlib
import json
import logging
import os
import platform
import sys
import threading
import time
import traceback
from importlib import metadata
from typing import Any, Awaitable, Callable, Dict

LONGEST_SHOWN = 4096
GENERATION_OF_RELEASE = {"0.4.0": "gen1", "0.4.4": "gen2", "0.7.5": "gen3"}

Command = Dict[str, Any]
Handler = Callable[[Command], Awaitable[None]]

_started = time.monotonic()
_write_lock = threading.Lock()
# The protocol keeps the real stdout; whatever libraries print goes to stderr.
_out = os.fdopen(os.dup(1), "w", encoding="utf-8", newline="\n")
sys.stdout = sys.stderr


def emit(event: str, **fields: Any) -> None:
    """Writes one event line."""
    line = json.dumps({"event": event, "t": round((time.monotonic() - _started) * 1000), **fields}, default=str)
    with _write_lock:
        _out.write(line + "\n")
        _out.flush()


def emit_error(error: BaseException, event: str = "error", **fields: Any) -> None:
    """Writes an exception's class and text; of a gRPC status, its code and detail."""
    described: Dict[str, Any] = {"class": type(error).__name__, "text": str(error)}
    if callable(getattr(error, "code", None)) and callable(getattr(error, "details", None)):
        described = {"class": type(error).__name__, "code": error.code().name, "text": error.details()}
    emit(event, **fields, **described)


def shown(text: str) -> Any:
    """A text as it is, or, when it is long, what identifies it."""
    if len(text) <= LONGEST_SHOWN:
        return text
    return {"length": len(text), "sha256": hashlib.sha256(text.encode("utf-8")).hexdigest(), "start": text[:32]}


def shown_bytes(data: bytes, full: bool = False) -> Dict[str, Any]:
    """Bytes as hex, or, when they are many, what identifies them."""
    if full or len(data) <= LONGEST_SHOWN:
        return {"bytes": len(data), "hex": data.hex()}
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "start": data[:32].hex()}


def versions() -> Dict[str, Any]:
    """What a peer says about itself when it is ready."""
    release = metadata.version("autogen-core")
    return {
        "generation": GENERATION_OF_RELEASE.get(release, release),
        "autogen": release,
        "grpcio": metadata.version("grpcio"),
        "protobuf": metadata.version("protobuf"),
        "python": platform.python_version(),
        "pid": os.getpid(),
    }


class _LogForwarder(logging.Handler):
    """Turns warnings and errors of the runtime into `log` events: they are part of what a peer did."""

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        emit(
            "log",
            level=record.levelname,
            logger=record.name,
            text=shown(record.getMessage()),
            exception=None if error is None else {"class": type(error).__name__, "text": str(error)},
        )


def forward_logs(level: int = logging.WARNING) -> None:
    root = logging.getLogger()
    root.handlers = [_LogForwarder(level)]
    root.setLevel(level)


def configuration() -> Dict[str, Any]:
    """The JSON object given as the only argument."""
    return json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}


async def serve_commands(handlers: Dict[str, Handler]) -> None:
    """Runs each command in its own task, until a `stop` command has been carried out.

    A handler that raises is reported as an `error` event with the command's id; the peer goes on.
    """
    loop = asyncio.get_running_loop()
    queue: "asyncio.Queue[Command]" = asyncio.Queue()

    def read_stdin() -> None:
        for line in sys.stdin:
            if not line.strip():
                continue
            try:
                command = json.loads(line)
            except ValueError as error:
                emit_error(error, during="reading a command")
                continue
            loop.call_soon_threadsafe(queue.put_nowait, command)
        os._exit(0)

    threading.Thread(target=read_stdin, daemon=True).start()
    running = set()

    async def carry_out(command: Command) -> None:
        handler = handlers.get(command.get("cmd", ""))
        if handler is None:
            emit("error", id=command.get("id"), **{"class": "UnknownCommand"}, text=str(command.get("cmd")))
            return
        try:
            await handler(command)
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            emit_error(error, id=command.get("id"), cmd=command.get("cmd"))

    while True:
        command = await queue.get()
        if command.get("cmd") == "stop":
            await carry_out(command)
            return
        task = asyncio.create_task(carry_out(command))
        running.add(task)
        task.add_done_callback(running.discard)


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Runs a peer to its end. A failure before it is ready ends it with a `failed` event and code 1."""

    async def guarded() -> int:
        try:
            await main()
            return 0
        except Exception as error:
            emit_error(error, event="failed", trace=traceback.format_exc(limit=-6))
            return 1

    forward_logs()
    loop = asyncio.new_event_loop()
    code = loop.run_until_complete(guarded())
    # Not a tidy shutdown of the loop: runtimes leave tasks behind that would keep it waiting.
    os._exit(code)
