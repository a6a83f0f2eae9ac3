"""Calls, answers, events and their payloads at AutoGen's own host."""

import time
from typing import Any, Dict

import wire
from laboratory import SILENCE_S, Laboratory
from scenario import ECHO, HELD, call, scenario

FIVE_MIB = {"fill": 5 * 1024 * 1024}


@scenario
def two_callers_with_equal_request_ids(lab: Laboratory) -> Any:
    """Two workers each make their first call (request id "1") to one agent, which answers the first and then the second."""
    target = lab.worker(HELD)
    first, second = lab.worker(), lab.worker()
    calls = []
    for caller, content in ((first, "from the first"), (second, "from the second")):
        calls.append(call(caller, "held/k", content))
        target.expect("received", agent="held/k")
    target.send("release", agent="held/k", prefix="answer to: ", count=2)
    outcomes = {"first caller": first.outcome(calls[0]), "second caller": second.outcome(calls[1])}
    return {**outcomes, "host log": lab.host_log(), "pending": sum(map(len, lab.state()["pending"].values()))}


@scenario
def unknown_target_type(lab: Laboratory) -> Any:
    """A call to a type that no worker registered."""
    caller = lab.worker()
    return {"caller": caller.outcome(call(caller, "nobody/k")), "host log": lab.host_log()}


@scenario
def empty_or_invalid_target(lab: Laboratory) -> Any:
    """Raw calls without a target, and with a target type that no agent can have."""
    stream = lab.connected("raw-client")
    stream.write(wire.request("1", None))
    stream.write(wire.request("2", "not valid!/k"))
    return {"caller": stream.read(), "host log": lab.host_log()}


@scenario
def target_killed_in_mid_call(lab: Laboratory) -> Any:
    """The worker of the target is killed with SIGKILL while it handles a call."""
    target, caller = lab.worker(HELD), lab.worker()
    id_ = call(caller, "held/k")
    target.expect("received", agent="held/k")
    target.end()
    return {"caller": caller.outcome(id_, 3), "host log": lab.host_log(), "agent types": list(lab.state()["agentTypes"])}


@scenario
def caller_leaves_in_mid_call(lab: Laboratory) -> Any:
    """The caller is killed; then the target answers."""
    target, caller = lab.worker(HELD), lab.worker()
    call(caller, "held/k")
    target.expect("received", agent="held/k")
    caller.end()
    while len(lab.state()["channels"]) > 1:
        time.sleep(0.02)
    pending = sum(map(len, lab.state()["pending"].values()))
    target.expect("done", id=target.send("release", agent="held/k"))
    time.sleep(0.3)
    return {"pending before the answer": pending, "pending after": lab.state()["pending"], "host log": lab.host_log()}


@scenario
def handler_raises_with_text(lab: Laboratory) -> Any:
    """The handler raises ValueError("boom")."""
    lab.worker({"kind": "failing", "type": "failing", "text": "boom"})
    caller = lab.worker()
    return {"caller": caller.outcome(call(caller, "failing/k"))}


@scenario
def handler_raises_without_text(lab: Laboratory) -> Any:
    """The handler raises ValueError()."""
    lab.worker({"kind": "failing", "type": "failing"})
    caller = lab.worker()
    return {"caller": caller.outcome(call(caller, "failing/k"))}


@scenario
def handler_that_cannot_answer(lab: Laboratory) -> Any:
    """Handlers that return None, return a type without serializer, cannot be made, or get a type they do not handle."""
    kinds = ("returns-none", "returns-unregistered", "broken-factory", "pydantic-echo")
    lab.worker(*({"kind": kind, "type": kind} for kind in kinds))
    caller = lab.worker()
    ids = {kind: call(caller, f"{kind}/k") for kind in kinds}
    return {kind: caller.outcome(id_) for kind, id_ in ids.items()}


@scenario
def call_over_4_mib(lab: Laboratory) -> Any:
    """A call with 5 MiB of content; then a small call and an event by the same worker."""
    target, caller = lab.worker(ECHO), lab.worker()
    large = caller.outcome(call(caller, "echo/k", FIVE_MIB), 3)
    small = caller.outcome(call(caller, "echo/k"))
    caller.send("publish", type="MyMessage", topic="echo:x/k", message={"content": "event"})
    event = target.wait(lambda e: e["event"] == "received" and e["topic"] == "echo:x/k", SILENCE_S)
    ended = caller.expect("state", id=caller.send("state"))["channelEnded"]
    return {"large": large, "small afterwards": small, "event afterwards": event and "received", "caller's channel ended": ended}


@scenario
def answer_over_4_mib(lab: Laboratory) -> Any:
    """The caller and the host take large messages, the target does not: a call of 5 MiB is forwarded to it."""
    limit = 64 * 1024 * 1024
    lab.host.end()
    lab.host = lab.start("host.py", {"maxMessageBytes": limit})
    lab.address = lab.host.expect("ready")["address"]
    target, caller = lab.worker(ECHO), lab.worker(maxMessageBytes=limit)
    large = caller.outcome(call(caller, "echo/k", FIVE_MIB), 3)
    small = caller.outcome(call(caller, "echo/k"))
    ended = target.expect("state", id=target.send("state"))["channelEnded"]
    types = list(lab.state()["agentTypes"])
    return {"large": large, "small afterwards": small, "target's channel ended": ended, "agent types": types}


@scenario
def event_over_4_mib(lab: Laboratory) -> Any:
    """The publisher and the host take large messages, a subscriber does not: an event of 5 MiB, then a small one."""
    limit = 64 * 1024 * 1024
    lab.host.end()
    lab.host = lab.start("host.py", {"maxMessageBytes": limit})
    lab.address = lab.host.expect("ready")["address"]
    subscriber = lab.worker({"kind": "collector", "type": "collector", "subscriptions": [{"topicType": "news"}]})
    publisher = lab.worker(maxMessageBytes=limit)
    publisher.send("publish", type="MyMessage", topic="news/large", message={"content": FIVE_MIB})
    publisher.send("publish", type="MyMessage", topic="news/small", message={"content": "event"})
    small = subscriber.wait(lambda e: e["event"] == "received" and e["agent"] == "collector/small", 3)
    ended = subscriber.expect("state", id=subscriber.send("state"))["channelEnded"]
    types = list(lab.state()["agentTypes"])
    return {"small event afterwards": small and "received", "subscriber's channel ended": ended, "agent types": types}


@scenario
def malformed_payload(lab: Laboratory) -> Any:
    """Raw calls and events whose payload is not JSON, lacks a field, has one too many, is of an unknown type; then a good call."""
    target = lab.worker(ECHO, {"kind": "collector", "type": "collector", "subscriptions": [{"topicType": "t"}]})
    stream = lab.connected("raw-client")
    bodies = {
        "not JSON": wire.field(1, "MyMessage") + wire.field(2, "application/json") + wire.field(3, b"{oops"),
        "not UTF-8": wire.field(1, "MyMessage") + wire.field(2, "application/json") + wire.field(3, b'"\xff"'),
        "field missing": wire.field(1, "MyMessage") + wire.field(2, "application/json") + wire.field(3, b"{}"),
        "extra field": wire.field(1, "MyMessage") + wire.field(2, "application/json") + wire.field(3, b'{"content":"","x":1}'),
        "unknown type": wire.payload("{}", data_type="Never"),
        "unknown content type": wire.payload("{}", "Never", "text/plain"),
        "no payload": b"",
    }
    observed = {}
    for name, body in bodies.items():
        stream.write(wire.request(name, "echo/k", body))
        observed[name] = stream.read(0.7)
    stream.write(wire.request("good", "echo/k", "still here"))
    observed["good call afterwards"] = stream.read()
    stream.write(wire.event("t/k", "good event"))
    target.expect("received", topic="t/k")
    return observed


@scenario
def malformed_frame(lab: Laboratory) -> Any:
    """Bytes that are no protobuf message: on the data channel and in a unary call."""
    lab.worker(ECHO)
    stream = lab.connected("raw-client")
    stream.write(b"\x0a\xff")
    observed: Dict[str, Any] = {"channel": stream.read()}
    stream.write(wire.request("1", "echo/k"))
    observed["good call on that channel afterwards"] = stream.read()
    observed["host log"] = lab.host_log()
    observed["unary"] = lab.unary("RegisterAgent", b"\x0a\xff", clientId="other")
    caller = lab.worker()
    return {**observed, "others afterwards": caller.outcome(call(caller, "echo/k"))}


@scenario
def message_without_arm(lab: Laboratory) -> Any:
    """An empty Message; then a good call on the same channel."""
    lab.worker(ECHO)
    stream = lab.connected("raw-client")
    stream.write(b"")
    stream.write(wire.request("1", "echo/k"))
    return {"call afterwards": stream.read(), "host log": lab.host_log()}


@scenario
def invalid_topic(lab: Laboratory) -> Any:
    """An event whose topic type is not valid; then a good one on the same channel."""
    stream = lab.connected("raw-client")
    lab.register(stream, "raw-client", "raw")
    lab.subscribe(stream, "raw-client", "s1", "t", "raw")
    stream.write(wire.event("not valid!/k", "bad"))
    stream.write(wire.event("t/k", "good"))
    frame = stream.read()
    return {"good event afterwards": frame["cloudEvent"].get("binary_data") if isinstance(frame, dict) else frame, "host log": lab.host_log()}


@scenario
def answers_nobody_waits_for(lab: Laboratory) -> Any:
    """A response to an unknown id, two responses to one call, and a response from a client that was not asked."""
    target, caller, stranger = lab.connected("target"), lab.connected("caller"), lab.connected("stranger")
    lab.register(target, "target", "raw")
    target.write(wire.response("77", "unknown id"))
    caller.write(wire.request("1", "raw/k"))
    forwarded = target.read()["request"]
    stranger.write(wire.response(forwarded["request_id"], "from a stranger"))
    time.sleep(0.3)
    for content in ("first", "second"):
        target.write(wire.response(forwarded["request_id"], content))
    observed = {"request id at the target": forwarded["request_id"], "caller gets": caller.read(), "then": caller.read()}
    return {**observed, "host log": [line.replace("'", "") for line in lab.host_log()]}


@scenario
def protobuf_event_names(lab: Laboratory) -> Any:
    """The dataschema a worker writes for a protobuf event, seen on the wire."""
    stream = lab.connected("raw-client")
    lab.register(stream, "raw-client", "raw")
    lab.subscribe(stream, "raw-client", "s1", "t", "raw")
    publisher = lab.worker(format="application/x-protobuf")
    publisher.send("publish", type="google.protobuf.StringValue", topic="t/k", message="hi")
    found = lab.raw.expect("frame", id=stream.id)
    text = bytes.fromhex(found["hex"])
    return {"dataschema": "google.protobuf.StringValue" if b"\x1a\x1bgoogle.protobuf.StringValue" in text else "StringValue"}
