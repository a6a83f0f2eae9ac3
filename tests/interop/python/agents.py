"""The agents a worker peer can host, by kind. Each says what reached it with a `received` event."""

import asyncio
from typing import Any, Callable, Dict, List

from autogen_core import (
    AgentId,
    DefaultTopicId,
    MessageContext,
    RoutedAgent,
    TopicId,
    UnknownPayload,
    event,
    message_handler,
    rpc,
)
from google.protobuf import struct_pb2, wrappers_pb2

from messages import Hop, MyMessage, Numbers, PydanticMessage, Unregistered, build_message, describe_message
from peer import emit


class PeerAgent(RoutedAgent):
    """Knows its own settings: the entry of the worker's `agents` list that made it."""

    def __init__(self, settings: Dict[str, Any]) -> None:
        super().__init__(settings["kind"])
        self.settings = settings

    def note(self, message: Any, ctx: MessageContext) -> None:
        emit(
            "received",
            agent=str(self.id),
            isRpc=ctx.is_rpc,
            sender=None if ctx.sender is None else str(ctx.sender),
            topic=None if ctx.topic_id is None else str(ctx.topic_id),
            messageId=ctx.message_id,
            **describe_message(message),
        )

    async def on_unhandled_message(self, message: Any, ctx: MessageContext) -> None:
        emit("unhandled", agent=str(self.id), isRpc=ctx.is_rpc, **describe_message(message))


class Echo(PeerAgent):
    """Answers a call with the message itself."""

    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> MyMessage:
        self.note(message, ctx)
        return message

    @message_handler
    async def on_numbers(self, message: Numbers, ctx: MessageContext) -> Numbers:
        self.note(message, ctx)
        return message


class PydanticEcho(PeerAgent):
    """The same for a pydantic model."""

    @message_handler
    async def on_pydantic(self, message: PydanticMessage, ctx: MessageContext) -> PydanticMessage:
        self.note(message, ctx)
        return message


class Failing(PeerAgent):
    """Raises: `text` given, with it; without, an exception that has no text."""

    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> MyMessage:
        self.note(message, ctx)
        raise ValueError(self.settings["text"]) if "text" in self.settings else ValueError()


class ReturnsNone(PeerAgent):
    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> None:
        self.note(message, ctx)


class ReturnsUnregistered(PeerAgent):
    """Its answer has no serializer anywhere."""

    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> Unregistered:
        self.note(message, ctx)
        return Unregistered(message.content)


class Held(PeerAgent):
    """Answers when the test sends `release`, and never otherwise. Each answer names the call it belongs to."""

    waiting: "Dict[str, List[asyncio.Future[str]]]" = {}

    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> MyMessage:
        released: "asyncio.Future[str]" = asyncio.get_running_loop().create_future()
        self.waiting.setdefault(str(self.id), []).append(released)
        self.note(message, ctx)
        return MyMessage(await released + message.content)

    @classmethod
    def release(cls, agent: str, prefix: str) -> bool:
        """Lets the oldest held call of an agent go; false if none is held."""
        held = cls.waiting.get(agent)
        if not held:
            return False
        held.pop(0).set_result(prefix)
        return True


class Slow(PeerAgent):
    """Answers after `delayMs`."""

    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> MyMessage:
        self.note(message, ctx)
        await asyncio.sleep(self.settings["delayMs"] / 1000)
        return message


class Publishing(PeerAgent):
    """Publishes what it is called with on topic type `topicType`; source `topicSource` or its own key."""

    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> MyMessage:
        self.note(message, ctx)
        topic_type = self.settings["topicType"]
        source = self.settings.get("topicSource")
        await self.publish_message(message, DefaultTopicId(topic_type) if source is None else TopicId(topic_type, source))
        return message


class Collector(PeerAgent):
    """Notes every event it gets, JSON and protobuf, and what it cannot decode."""

    @event
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> None:
        self.note(message, ctx)

    @event
    async def on_pydantic(self, message: PydanticMessage, ctx: MessageContext) -> None:
        self.note(message, ctx)

    @event
    async def on_string_value(self, message: wrappers_pb2.StringValue, ctx: MessageContext) -> None:
        self.note(message, ctx)

    @event
    async def on_struct(self, message: struct_pb2.Struct, ctx: MessageContext) -> None:
        self.note(message, ctx)

    @event
    async def on_unknown(self, message: UnknownPayload, ctx: MessageContext) -> None:
        self.note(message, ctx)


class ProtobufCallee(PeerAgent):
    """Takes a protobuf call; Python can answer in JSON only, so it does."""

    @rpc
    async def on_string_value(self, message: wrappers_pb2.StringValue, ctx: MessageContext) -> MyMessage:
        self.note(message, ctx)
        return MyMessage(message.value)

    @rpc
    async def on_struct(self, message: struct_pb2.Struct, ctx: MessageContext) -> MyMessage:
        self.note(message, ctx)
        return MyMessage(str(dict(message)))


class Nested(PeerAgent):
    """Passes a Hop on to the agent `target` and returns what comes back; the last one answers."""

    @message_handler
    async def on_hop(self, message: Hop, ctx: MessageContext) -> Hop:
        self.note(message, ctx)
        here = Hop(message.remaining - 1, f"{message.path}>{self.id}")
        if message.remaining <= 0:
            return Hop(0, here.path)
        answer = await self.send_message(here, AgentId.from_str(self.settings["target"]))
        emit("returned", agent=str(self.id), **describe_message(answer))
        return answer


class Caller(PeerAgent):
    """On an event or call, calls the agent `target` and reports the outcome; then publishes it if `topicType` is set."""

    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> MyMessage:
        self.note(message, ctx)
        outgoing = self.settings.get("sends")
        request = message if outgoing is None else build_message(outgoing["type"], outgoing["message"])
        answer = await self.send_message(request, AgentId.from_str(self.settings["target"]))
        emit("returned", agent=str(self.id), **describe_message(answer))
        if "topicType" in self.settings:
            await self.publish_message(answer, DefaultTopicId(self.settings["topicType"]))
        return MyMessage(f"{self.id} got {answer.content}") if isinstance(answer, MyMessage) else message


class BrokenFactory(PeerAgent):
    """Cannot be made: its factory raises `text`."""

    def __init__(self, settings: Dict[str, Any]) -> None:
        raise RuntimeError(settings.get("text", "the factory failed"))

    @message_handler
    async def on_my_message(self, message: MyMessage, ctx: MessageContext) -> MyMessage:
        return message


KINDS: Dict[str, Callable[..., PeerAgent]] = {
    "echo": Echo,
    "pydantic-echo": PydanticEcho,
    "failing": Failing,
    "returns-none": ReturnsNone,
    "returns-unregistered": ReturnsUnregistered,
    "held": Held,
    "slow": Slow,
    "publishing": Publishing,
    "collector": Collector,
    "protobuf-callee": ProtobufCallee,
    "nested": Nested,
    "caller": Caller,
    "broken-factory": BrokenFactory,
}
