"""Channels, client ids, registrations and subscriptions at AutoGen's own host."""

import time
from typing import Any, Dict

import wire
from laboratory import SILENCE_S, Laboratory
from scenario import ECHO, HELD, call, scenario

UNARY = {
    "RegisterAgent": wire.field(1, "raw"),
    "AddSubscription": wire.field(1, wire.field(1, "s1") + wire.field(2, wire.type_subscription("t", "raw"))),
    "RemoveSubscription": wire.field(1, "s1"),
    "GetSubscriptions": b"",
    "GetState": wire.agent_id("raw/k"),
    "SaveState": wire.field(1, wire.agent_id("raw/k")),
}


@scenario
def missing_client_id(lab: Laboratory) -> Any:
    """Every method without the client-id header; the channels for a moment."""
    observed: Dict[str, Any] = {method: lab.unary(method, body) for method, body in UNARY.items()}
    for method in ("OpenChannel", "OpenControlChannel"):
        observed[method] = lab.open(f"without id {method}", method).read(0.7)
    return observed


@scenario
def every_method_with_client_id(lab: Laboratory) -> Any:
    """Every method with a client-id header; the channels for a moment."""
    observed: Dict[str, Any] = {method: lab.unary(method, body, clientId="c1") for method, body in UNARY.items()}
    for method in ("OpenChannel", "OpenControlChannel"):
        observed[method] = lab.open(f"with id {method}", method, clientId="c1").read(0.7)
    observed["NoSuchMethod"] = lab.unary("NoSuchMethod", b"", clientId="c1")
    return observed


@scenario
def client_id_twice_in_one_call(lab: Laboratory) -> Any:
    """A registration whose headers have two client-ids."""
    answer = lab.unary("RegisterAgent", wire.field(1, "raw"), metadata=[["client-id", "one"], ["client-id", "two"]])
    return {"registration": answer, "owner": lab.state()["agentTypes"].get("raw")}


@scenario
def two_channels_with_one_client_id(lab: Laboratory) -> Any:
    """Two channels with the client-id "same"; it registers a type; the first is cancelled, then the second."""
    first = lab.connected("same")
    second = lab.open("second", clientId="same")
    time.sleep(0.3)
    observed: Dict[str, Any] = {"first, when the second opens": first.read(0.5)}
    lab.register(second, "same", "twin")
    lab.subscribe(second, "same", "s1", "t", "twin")
    caller = lab.connected("caller")
    caller.write(wire.request("1", "twin/k"))
    got = [name for name, stream in (("first", first), ("second", second)) if "request" in stream.read(0.5)]
    observed["a call reaches"] = got
    lab.raw.send("cancel", id=first.id)
    time.sleep(0.5)
    state = lab.state()
    observed["after the first is cancelled"] = {
        "second": second.read(0.5),
        "agent types": list(state["agentTypes"]),
        "subscriptions": state["subscriptions"],
        "channels": len(state["channels"]) - 1,
    }
    lab.raw.send("cancel", id="second")
    time.sleep(0.5)
    return {**observed, "host log": [line for line in lab.host_log() if not line.startswith("CancelledError")]}


@scenario
def half_close(lab: Laboratory) -> Any:
    """A client with a type and a subscription half-closes its channel; then another wants the type."""
    stream = lab.connected("half")
    lab.register(stream, "half", "raw")
    lab.subscribe(stream, "half", "s1", "t", "raw")
    lab.raw.send("halfClose", id=stream.id)
    observed: Dict[str, Any] = {"the call": stream.read()}
    state = lab.state()
    observed["agent types"] = list(state["agentTypes"])
    observed["subscriptions"] = state["subscriptions"]
    other = lab.connected("other")
    observed["another registers the type"] = lab.register(other, "other", "raw")
    other.write(wire.request("1", "raw/k"))
    observed["a call to it reaches the half-closed channel"] = "request" in stream.read()
    return observed


@scenario
def cancelled_channel(lab: Laboratory) -> Any:
    """A client with a type and a subscription cancels its channel (as a Python worker stops)."""
    stream = lab.connected("gone")
    lab.register(stream, "gone", "raw")
    lab.subscribe(stream, "gone", "s1", "t", "raw")
    lab.raw.send("cancel", id=stream.id)
    lab.raw.expect("closed", id=stream.id)
    time.sleep(0.3)
    state = lab.state()
    observed = {"agent types": list(state["agentTypes"]), "subscriptions": state["subscriptions"]}
    return {**observed, "another registers the type": lab.register(lab.connected("other"), "other", "raw")}


@scenario
def registration_before_the_channel_opens(lab: Laboratory) -> Any:
    """RegisterAgent and AddSubscription, then the channel with the same client-id; then a call and an event."""
    if lab.generation == "gen1":
        return "not possible: gen 1 registers in the channel"
    nobody = lab.open("unused", clientId="unused")
    observed: Dict[str, Any] = {"register": lab.register(nobody, "early", "raw")}
    observed["subscribe"] = lab.subscribe(nobody, "early", "s1", "t", "raw")
    caller = lab.connected("caller")
    caller.write(wire.request("1", "raw/k"))
    observed["call before the channel"] = caller.read()
    stream = lab.connected("early")
    caller.write(wire.request("2", "raw/k"))
    frame = stream.read()
    observed["call after"] = frame.get("request", {}).get("request_id") if isinstance(frame, dict) else frame
    caller.write(wire.event("t/k", "event"))
    observed["event after"] = "cloudEvent" in stream.read()
    return observed


@scenario
def registration_and_never_a_channel(lab: Laboratory) -> Any:
    """Three clients register and subscribe but have no channel; four events to them and to a healthy client; another wants a type."""
    if lab.generation == "gen1":
        return "not possible: gen 1 registers in the channel"
    healthy = lab.connected("healthy")
    for name in ("healthy", "ghost-a", "ghost-b", "ghost-c"):
        lab.register(healthy, name, name)
        lab.subscribe(healthy, name, f"s {name}", "t", name)
    for _ in range(4):
        healthy.write(wire.event("t/k", "event"))
    received = 0
    while "cloudEvent" in healthy.read():
        received += 1
    return {
        "events of 4 that the healthy client gets (a set's order decides)": received,
        "host log": sorted(set(lab.host_log())),
        "another registers the type": lab.register(healthy, "other", "ghost-a"),
    }


@scenario
def type_registered_twice(lab: Laboratory) -> Any:
    """By the same client, then by another; and a type that is not a valid name."""
    first, second = lab.connected("first"), lab.connected("second")
    return {
        "first": lab.register(first, "first", "raw"),
        "same client again": lab.register(first, "first", "raw"),
        "another client": lab.register(second, "second", "raw"),
        "invalid name": lab.register(first, "first", "not valid!"),
        "empty name": lab.register(first, "first", ""),
    }


@scenario
def invalid_subscription(lab: Laboratory) -> Any:
    """Subscriptions without arm, given twice, unknown when removed, and with an invalid agent type for a topic already seen."""
    stream = lab.connected("raw-client")
    lab.register(stream, "raw-client", "raw")
    observed: Dict[str, Any] = {}
    if lab.generation == "gen1":
        stream.write(wire.field(6, wire.field(1, "empty")))
        observed["no arm"] = stream.read()
    else:
        observed["no arm"] = lab.unary("AddSubscription", wire.field(1, wire.field(1, "s0")), clientId="raw-client")
    observed["good"] = lab.subscribe(stream, "raw-client", "s1", "t", "raw")
    observed["same again"] = lab.subscribe(stream, "raw-client", "s1", "t", "raw")
    observed["same content, other id"] = lab.subscribe(stream, "raw-client", "s2", "t", "raw")
    observed["same id, other content"] = lab.subscribe(stream, "raw-client", "s1", "other", "raw")
    if lab.generation != "gen1":
        observed["remove unknown"] = lab.unary("RemoveSubscription", wire.field(1, "nobody"), clientId="raw-client")
    stream.write(wire.event("t/k", "before"))
    observed["event before"] = "cloudEvent" in stream.read()
    observed["invalid agent type"] = lab.subscribe(stream, "raw-client", "s3", "t", "not valid!")
    observed["good add afterwards"] = lab.subscribe(stream, "raw-client", "s4", "u", "raw")
    stream.write(wire.event("u/k", "after"))
    observed["event afterwards"] = "cloudEvent" in stream.read()
    stream.write(wire.event("t/new", "after"))
    observed["event on a new source of the poisoned topic"] = "cloudEvent" in stream.read()
    return {**observed, "subscriptions": lab.state()["subscriptions"]}


@scenario
def host_stops_with_a_pending_call(lab: Laboratory) -> Any:
    """The host stops gracefully (1 s) while a call is being handled."""
    target, caller = lab.worker(HELD), lab.worker()
    id_ = call(caller, "held/k")
    target.expect("received", agent="held/k")
    lab.host.expect("stopped", id=lab.host.send("stop", graceSeconds=1))
    outcome = caller.outcome(id_, 3)
    later = caller.outcome(call(caller, "held/k"))
    return {"caller": outcome, "later call": later}


@scenario
def compressed_messages(lab: Laboratory) -> Any:
    """A unary call and a channel whose messages are gzip-compressed."""
    lab.worker(ECHO)
    observed: Dict[str, Any] = {"unary": lab.unary("RegisterAgent", wire.field(1, "a" * 2000), clientId="zip", gzip=True)}
    stream = lab.open("zipped", clientId="zipped", gzip=True)
    stream.write(wire.request("1", "echo/k", "a" * 2000))
    frame = stream.read()
    answered = isinstance(frame, dict) and len(frame.get("response", {}).get("payload", {}).get("data", "")) > 2000
    return {**observed, "channel": "answered" if answered else frame}


@scenario
def deadline_on_the_channel(lab: Laboratory) -> Any:
    """OpenChannel with a deadline of 1 s, with a type registered."""
    stream = lab.open("brief", clientId="brief", deadlineMs=1000)
    time.sleep(0.2)
    lab.register(stream, "brief", "raw")
    ended = lab.raw.expect("closed", id="brief")
    time.sleep(0.3)
    return {"the call": {"code": ended["code"], "details": ended["details"]}, "agent types": list(lab.state()["agentTypes"])}


@scenario
def response_headers(lab: Laboratory) -> Any:
    """Whether an accepted channel gets response headers before the first message."""
    stream = lab.connected("quiet")
    headers = lab.raw.wait(lambda e: e["event"] == "headers", SILENCE_S)
    stream.write(wire.event("t/k", "nobody listens"))
    return {"headers before the first message": headers is not None}
