"""Just enough protobuf to write and read agents.AgentRpc frames without generated code (protocol.md §1.2)."""

import json
from typing import Any, Dict, Iterator, Optional, Tuple

Schema = Dict[int, Tuple[str, Any]]

_AGENT_ID: Schema = {1: ("type", str), 2: ("key", str)}
_PAYLOAD: Schema = {1: ("data_type", str), 2: ("data_content_type", str), 3: ("data", str)}
_ENTRY: Schema = {1: ("key", str), 2: ("value", str)}
_ACK: Schema = {1: ("request_id", str), 2: ("success", int), 3: ("error", str)}
_REQUEST: Schema = {
    1: ("request_id", str),
    2: ("source", _AGENT_ID),
    3: ("target", _AGENT_ID),
    5: ("payload", _PAYLOAD),
    6: ("metadata", _ENTRY),
}
_RESPONSE: Schema = {1: ("request_id", str), 2: ("payload", _PAYLOAD), 3: ("error", str), 4: ("metadata", _ENTRY)}
_EVENT: Schema = {1: ("id", str), 2: ("source", str), 3: ("spec_version", str), 4: ("type", str), 6: ("binary_data", str)}
MESSAGE: Schema = {
    1: ("request", _REQUEST),
    2: ("response", _RESPONSE),
    3: ("cloudEvent", _EVENT),
    5: ("registerAgentTypeResponse", _ACK),
    7: ("addSubscriptionResponse", _ACK),
}
_TYPE: Schema = {1: ("topic_type", str), 2: ("agent_type", str)}
_PREFIX: Schema = {1: ("topic_type_prefix", str), 2: ("agent_type", str)}
_SUBSCRIPTION: Schema = {1: ("id", str), 2: ("typeSubscription", _TYPE), 3: ("typePrefixSubscription", _PREFIX)}
SUBSCRIPTIONS: Schema = {1: ("subscriptions", _SUBSCRIPTION)}


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def field(number: int, value: "str | bytes | int") -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode("utf-8") if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def agent_id(text: str) -> bytes:
    type_, _, key = text.partition("/")
    return field(1, type_) + field(2, key)


def payload(content: str, data_type: str = "MyMessage", content_type: str = "application/json") -> bytes:
    """`content` goes into a MyMessage, unless it is bytes already."""
    data = json.dumps({"content": content}) if data_type == "MyMessage" else content
    return field(1, data_type) + field(2, content_type) + field(3, data)


def request(id_: str, target: Optional[str], body: "str | bytes" = "hi", source: Optional[str] = None) -> bytes:
    """A Message with a call. `body`: the text of a MyMessage, or the bytes of a whole Payload."""
    call = field(1, id_)
    if source is not None:
        call += field(2, agent_id(source))
    if target is not None:
        call += field(3, agent_id(target))
    return field(1, call + field(5, payload(body) if isinstance(body, str) else body))


def response(id_: str, content: str) -> bytes:
    return field(2, field(1, id_) + field(2, payload(content)))


def event(topic: str, content: str) -> bytes:
    """A Message with a JSON event, as Python publishes it."""
    type_, _, source = topic.partition("/")
    attributes = {
        "datacontenttype": "application/json",
        "dataschema": "MyMessage",
        "agagentsendertype": "unknown",
        "agagentsenderkey": "unknown",
        "agmsgkind": "publish",
    }
    body = field(1, "e1") + field(2, source) + field(3, "1.0") + field(4, type_)
    for name, value in attributes.items():
        body += field(5, field(1, name) + field(2, field(3, value)))
    return field(3, body + field(6, json.dumps({"content": content})))


def type_subscription(topic_type: str, agent_type: str) -> bytes:
    return field(1, topic_type) + field(2, agent_type)


def _fields(data: bytes) -> Iterator[Tuple[int, Any]]:
    at = 0

    def number() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = number()
        if tag & 7 == 0:
            yield tag >> 3, number()
        elif tag & 7 == 2:
            length = number()
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            raise ValueError(f"wire type {tag & 7}")


def decode(data: bytes, schema: Schema = MESSAGE) -> Dict[str, Any]:
    """The known fields by name; a repeated one becomes a list."""
    out: Dict[str, Any] = {}
    for number, raw in _fields(data):
        if number not in schema:
            continue
        name, kind = schema[number]
        value = raw if kind is int else raw.decode("utf-8") if kind is str else decode(raw, kind)
        out[name] = value if name not in out else [*(out[name] if isinstance(out[name], list) else [out[name]]), value]
    return out
