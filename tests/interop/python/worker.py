"""An AutoGen worker with agents of the test's choice, which is caller and publisher as well.

  python worker.py '{"host": "127.0.0.1:50051", "agents": [{"kind": "echo", "type": "echo"}]}'

Configuration: host · format ("application/json" | "application/x-protobuf") · maxMessageBytes ·
  notesSpans (a `span` event for each span the runtime starts) ·
  types (names whose serializers are added besides those of the handlers; default all of messages.py) ·
  agents: [{kind, type, subscriptions: [{topicType | topicTypePrefix}], ...settings of the kind (agents.py)}].
Events: ready, received, unhandled, returned, answer, published, done, span, state, log, error, failed, stopped.
Commands, each answered with its id:
  {"cmd": "send", "id", "type", "message", "target": "echo/k", "sender"?, "timeoutMs"?}   -> answer | error | timeout
  {"cmd": "publish", "id", "type", "message", "topic": "t/src", "sender"?, "messageId"?, "count"?} -> published | error
  {"cmd": "register", "id", "agents": [...]}                                              -> done | error
  {"cmd": "subscribe", "id", "agentType", "topicType" | "topicTypePrefix", "subscriptionId"?} -> done | error
  {"cmd": "unsubscribe", "id", "subscriptionId"}                                          -> done | error
  {"cmd": "release", "id", "agent": "held/k", "prefix"?, "count"?}                        -> done {released}
  {"cmd": "state", "id"} -> state · {"cmd": "stop", "id"} -> stopped, and the process ends
"""

import asyncio
import inspect
import uuid
from typing import Any, Dict, Optional

from autogen_core import (
    JSON_DATA_CONTENT_TYPE,
    AgentId,
    Subscription,
    TopicId,
    TypePrefixSubscription,
    TypeSubscription,
)
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime

from agents import KINDS, Held
from messages import build_message, describe_message, register_types
from peer import Command, Handler, configuration, emit, run, serve_commands, versions
from span_notes import NotingTracerProvider


def topic_from(text: str) -> TopicId:
    """As TopicId.from_str, which gen 1 lacks."""
    type_, _, source = text.partition("/")
    return TopicId(type_, source)


def agent_from(text: Optional[str]) -> Optional[AgentId]:
    return None if text is None else AgentId.from_str(text)


def subscription_from(settings: Dict[str, Any], agent_type: str) -> Subscription:
    chosen = {"id": settings["subscriptionId"]} if "subscriptionId" in settings else {}  # gen 1 has no such argument
    if "topicTypePrefix" in settings:
        return TypePrefixSubscription(settings["topicTypePrefix"], agent_type, **chosen)
    return TypeSubscription(settings["topicType"], agent_type, **chosen)


class WorkerPeer:
    def __init__(self, config: Dict[str, Any]) -> None:
        limit = config.get("maxMessageBytes")
        options = [("grpc.max_receive_message_length", limit), ("grpc.max_send_message_length", limit)]
        self.runtime = GrpcWorkerAgentRuntime(
            config["host"],
            tracer_provider=NotingTracerProvider() if config.get("notesSpans") else None,
            extra_grpc_config=options if limit else None,
            payload_serialization_format=config.get("format", JSON_DATA_CONTENT_TYPE),
        )

    async def start(self) -> None:
        starting: Any = self.runtime.start()  # gens 1 and 2 start synchronously
        if inspect.isawaitable(starting):
            await starting

    async def register(self, command: Command) -> None:
        for settings in command["agents"]:
            await self._register_agent(settings)
        if "id" in command:
            emit("done", id=command["id"])

    async def _register_agent(self, settings: Dict[str, Any]) -> None:
        kind: Any = KINDS[settings["kind"]]
        await kind.register(self.runtime, settings["type"], lambda: kind(settings))
        for subscription in settings.get("subscriptions", []):
            await self.runtime.add_subscription(subscription_from(subscription, settings["type"]))

    async def send(self, command: Command) -> None:
        message = build_message(command["type"], command["message"])
        sending = self.runtime.send_message(
            message, AgentId.from_str(command["target"]), sender=agent_from(command.get("sender"))
        )
        timeout_ms = command.get("timeoutMs")
        try:
            answer = await asyncio.wait_for(sending, None if timeout_ms is None else timeout_ms / 1000)
        except asyncio.TimeoutError:
            emit("timeout", id=command.get("id"))
            return
        emit("answer", id=command.get("id"), **describe_message(answer))

    async def publish(self, command: Command) -> None:
        message = build_message(command["type"], command["message"])
        for _ in range(command.get("count", 1)):
            await self.runtime.publish_message(
                message,
                topic_from(command["topic"]),
                sender=agent_from(command.get("sender")),
                message_id=command.get("messageId", str(uuid.uuid4())),
            )
        emit("published", id=command.get("id"))

    async def subscribe(self, command: Command) -> None:
        subscription = subscription_from(command, command["agentType"])
        await self.runtime.add_subscription(subscription)
        emit("done", id=command.get("id"), subscriptionId=subscription.id)

    async def unsubscribe(self, command: Command) -> None:
        await self.runtime.remove_subscription(command["subscriptionId"])
        emit("done", id=command.get("id"))

    async def release(self, command: Command) -> None:
        released = [Held.release(command["agent"], command.get("prefix", "")) for _ in range(command.get("count", 1))]
        emit("done", id=command.get("id"), released=sum(released))

    async def state(self, command: Command) -> None:
        emit(
            "state",
            id=command.get("id"),
            pendingCalls=sorted(self.runtime._pending_requests),
            agents=sorted(str(agent) for agent in self.runtime._instantiated_agents),
            agentTypes=sorted(self.runtime._agent_factories),
            held={agent: len(calls) for agent, calls in Held.waiting.items() if calls},
            channelEnded=self._channel_ended(),
        )

    def _channel_ended(self) -> Optional[bool]:
        connection: Any = self.runtime._host_connection
        task = None if connection is None else connection._connection_task
        return None if task is None else task.done()

    def client_id(self) -> Optional[str]:
        """The id in the `client-id` header; gen 1 has none."""
        return getattr(self.runtime._host_connection, "_client_id", None)

    async def stop(self, command: Command) -> None:
        await self.runtime.stop()
        emit("stopped", id=command.get("id"))

    def commands(self) -> Dict[str, Handler]:
        return {
            "send": self.send,
            "publish": self.publish,
            "register": self.register,
            "subscribe": self.subscribe,
            "unsubscribe": self.unsubscribe,
            "release": self.release,
            "state": self.state,
            "stop": self.stop,
        }


async def main() -> None:
    config = configuration()
    peer = WorkerPeer(config)
    await peer.start()
    register_types(peer.runtime, config.get("types"))
    serving = asyncio.create_task(serve_commands(peer.commands()))
    await peer.register({"agents": config.get("agents", [])})
    emit("ready", role="worker", name=config.get("name"), clientId=peer.client_id(), **versions())
    await serving


run(main)
