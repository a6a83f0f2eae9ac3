"""Starts peers, speaks to them and waits for their events: what the scenarios of record_host.py are written in."""

import json
import os
import queue
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import wire

HERE = Path(__file__).resolve().parent
GUARD_S = 20.0
SILENCE_S = 1.5  # how long nothing must happen before "nothing happened" is recorded

Event = Dict[str, Any]


class Peer:
    """One peer process. `seen` keeps every event it wrote."""

    def __init__(self, python: str, script: str, config: Dict[str, Any]) -> None:
        self.process = subprocess.Popen(
            [python, str(HERE / script), json.dumps(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONHASHSEED": "0"},  # the host iterates over sets of client ids
            text=True,
            encoding="utf-8",
        )
        self.seen: List[Event] = []
        self._fresh: "queue.Queue[Event]" = queue.Queue()
        self._next_id = 0
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._fresh.put(json.loads(line))
        self._fresh.put({"event": "exit"})

    def send(self, cmd: str, **fields: Any) -> Any:
        """Writes a command; returns its id, made up when none is given."""
        if "id" not in fields:
            self._next_id += 1
            fields["id"] = f"#{self._next_id}"
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"cmd": cmd, **fields}) + "\n")
        self.process.stdin.flush()
        return fields["id"]

    def wait(self, matches: Callable[[Event], bool], seconds: float = GUARD_S) -> Optional[Event]:
        """The first event, past or coming, that matches and was not waited for before; None after `seconds`."""
        deadline = time.monotonic() + seconds
        at = 0
        while True:
            while at < len(self.seen):
                if "taken" not in self.seen[at] and matches(self.seen[at]):
                    self.seen[at]["taken"] = True
                    return self.seen[at]
                at += 1
            try:
                self.seen.append(self._fresh.get(timeout=max(0.0, deadline - time.monotonic())))
            except queue.Empty:
                return None

    def expect(self, event: str, **fields: Any) -> Event:
        found = self.wait(lambda e: e["event"] == event and all(e.get(k) == v for k, v in fields.items()))
        if found is None:
            raise AssertionError(f"no {event} {fields}; seen: {json.dumps(self.seen)[-3000:]}")
        return found

    def outcome(self, id_: Any, seconds: float = SILENCE_S) -> Any:
        """How a `send` ended, or "no answer" if it has not within `seconds`."""
        found = self.wait(lambda e: e.get("id") == id_ and e["event"] in ("answer", "error"), seconds)
        if found is None:
            return "no answer"
        if found["event"] == "answer":
            return {"answer": found["message"], "type": found["type"]}
        return {"raises": found["class"], "text": found["text"]}

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Stream:
    """One raw OpenChannel call."""

    def __init__(self, raw: Peer, id_: str) -> None:
        self.raw, self.id = raw, id_

    def write(self, frame: bytes) -> bool:
        self.raw.send("write", id=self.id, hex=frame.hex())
        return bool(self.raw.expect("written", id=self.id)["ok"])

    def read(self, seconds: float = SILENCE_S) -> Any:
        """The next frame decoded, or how the call ended, or "no frame"."""
        found = self.raw.wait(lambda e: e.get("id") == self.id and e["event"] in ("frame", "closed"), seconds)
        if found is None:
            return "no frame"
        if found["event"] == "closed":
            found.pop("taken")  # the end stays readable
            return {"closed": found["code"], "details": found["details"]}
        return wire.decode(bytes.fromhex(found["hex"])) if "hex" in found else {"bytes": found["bytes"]}


class Laboratory:
    """The peers of one scenario on one generation; ends them all."""

    def __init__(self, generation: str, python: str) -> None:
        self.generation, self.python = generation, python
        self._peers: List[Peer] = []
        self.host = self.start("host.py", {})
        self.address: str = self.host.expect("ready")["address"]
        self._raw: Optional[Peer] = None

    def start(self, script: str, config: Dict[str, Any]) -> Peer:
        peer = Peer(self.python, script, config)
        self._peers.append(peer)
        return peer

    def worker(self, *agents: Dict[str, Any], **config: Any) -> Peer:
        peer = self.start("worker.py", {"host": self.address, "agents": list(agents), **config})
        peer.expect("ready")
        return peer

    @property
    def raw(self) -> Peer:
        if self._raw is None:
            self._raw = self.start("raw_grpc.py", {})
            self._raw.expect("ready")
        return self._raw

    def unary(self, method: str, body: bytes = b"", **options: Any) -> Dict[str, Any]:
        id_ = self.raw.send("unary", address=self.address, method=method, hex=body.hex(), **options)
        found = self.raw.expect("unary", id=id_)
        shown = {"code": found["code"], "details": found["details"]}
        return {**shown, "hex": found["hex"]} if found.get("hex") else shown

    def open(self, id_: str, method: str = "OpenChannel", **options: Any) -> Stream:
        self.raw.send("open", id=id_, address=self.address, method=method, **options)
        self.raw.expect("opened", id=id_)
        return Stream(self.raw, id_)

    def connected(self, client_id: str) -> Stream:
        """A raw channel that the host is known to have accepted."""
        before = len(self.state()["channels"])
        stream = self.open(f"stream {client_id}", clientId=client_id)
        while len(self.state()["channels"]) == before:
            time.sleep(0.02)
        return stream

    def register(self, stream: Stream, client_id: str, type_: str) -> Any:
        """As the generation does it: in the channel, or by a unary call."""
        if self.generation == "gen1":
            stream.write(wire.field(4, wire.field(1, f"register {type_}") + wire.field(2, type_)))
            return stream.read()
        return self.unary("RegisterAgent", wire.field(1, type_), clientId=client_id)

    def subscribe(self, stream: Stream, client_id: str, id_: str, topic_type: str, agent_type: str) -> Any:
        exact = wire.type_subscription(topic_type, agent_type)
        if self.generation == "gen1":
            stream.write(wire.field(6, wire.field(1, f"subscribe {id_}") + wire.field(2, wire.field(1, exact))))
            return stream.read()
        return self.unary("AddSubscription", wire.field(1, wire.field(1, id_) + wire.field(2, exact)), clientId=client_id)

    def state(self) -> Dict[str, Any]:
        found = self.host.expect("state", id=self.host.send("state"))
        return {key: found[key] for key in ("channels", "agentTypes", "pending", "subscriptions")}

    def host_log(self) -> List[str]:
        """The warnings and errors the host wrote so far: its texts, or the exception behind them."""
        self.state()
        return [
            f"{e['exception']['class']}: {e['exception']['text']}" if e["exception"] else e["text"]
            for e in self.host.seen
            if e["event"] == "log"
        ]

    def end(self) -> None:
        for peer in self._peers:
            peer.end()
