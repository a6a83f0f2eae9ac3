"""The message types the peers know, and how a test writes them in JSON.

A dataclass or pydantic model is its fields; a protobuf message is its canonical protobuf JSON
(a StringValue is a bare string, a Struct an object).
"""

from dataclasses import asdict, dataclass
from typing import Any, Dict, List, Optional

from autogen_core import UnknownPayload, try_get_known_serializers_for_type
from google.protobuf import json_format, struct_pb2, timestamp_pb2, wrappers_pb2
from google.protobuf.message import Message
from pydantic import BaseModel

from peer import shown, shown_bytes


@dataclass
class MyMessage:
    content: str


@dataclass
class Hop:
    """Goes `remaining` agents further; each notes itself in `path`."""

    remaining: int
    path: str


@dataclass
class Numbers:
    """Types that JSON carries in its own ways."""

    whole: int
    real: float
    truth: bool
    words: List[str]


class Part(BaseModel):
    name: str
    amount: Optional[float] = None


class PydanticMessage(BaseModel):
    content: str
    count: int = 0
    note: Optional[str] = None
    parts: List[Part] = []


@dataclass
class Prompt:
    """What an agent of `troupe/ai` is asked; `files` may be left out."""

    text: str


@dataclass
class Reply:
    """What an agent of `troupe/ai` answers."""

    text: str
    finish_reason: str
    input_tokens: int
    output_tokens: int
    model_calls: int


@dataclass
class Unregistered:
    """No peer registers a serializer for it: returning it is an error of the handler."""

    content: str


JSON_TYPES: Dict[str, type] = {cls.__name__: cls for cls in (MyMessage, Hop, Numbers, PydanticMessage, Prompt, Reply)}
PROTOBUF_TYPES: Dict[str, type] = {
    cls.DESCRIPTOR.full_name: cls
    for cls in (
        wrappers_pb2.StringValue,
        wrappers_pb2.Int64Value,
        wrappers_pb2.BytesValue,
        struct_pb2.Struct,
        timestamp_pb2.Timestamp,
    )
}
TYPES = {**JSON_TYPES, **PROTOBUF_TYPES}


def register_types(runtime: Any, names: Optional[List[str]] = None) -> None:
    """Makes a runtime know types that no handler of it declares; all of them by default."""
    for name in TYPES if names is None else names:
        runtime.add_message_serializer(try_get_known_serializers_for_type(TYPES[name]))


def build_message(name: str, value: Any) -> Any:
    """The message a test wrote as JSON. `{"fill": n}` as the value of `content` stands for n letters x."""
    cls = TYPES[name]
    if name in PROTOBUF_TYPES:
        return json_format.ParseDict(filled(value), cls())
    fields = {key: filled(field) for key, field in value.items()}
    return cls(**fields)


def filled(value: Any) -> Any:
    return "x" * value["fill"] if isinstance(value, dict) and set(value) == {"fill"} else value


def describe_message(message: Any) -> Dict[str, Any]:
    """`{type, message}` for an event line."""
    if message is None:
        return {"type": "NoneType", "message": None}
    if isinstance(message, UnknownPayload):
        unknown = {"typeName": message.type_name, "dataContentType": message.data_content_type}
        return {"type": "UnknownPayload", "message": {**unknown, **shown_bytes(message.payload)}}
    if isinstance(message, Message):
        value = json_format.MessageToDict(message)
        return {"type": message.DESCRIPTOR.full_name, "message": shown(value) if isinstance(value, str) else value}
    fields = message.model_dump() if isinstance(message, BaseModel) else asdict(message)
    return {
        "type": type(message).__name__,
        "message": {key: shown(value) if isinstance(value, str) else value for key, value in fields.items()},
    }
