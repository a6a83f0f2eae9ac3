"""Agents of AgentChat in teams of Troupe's, and agents of Troupe's in teams of AgentChat's."""

from dataclasses import dataclass
from typing import Any, Dict, List, Sequence

from autogen_agentchat.agents import BaseChatAgent
from autogen_agentchat.base import ChatAgent, Response
from autogen_agentchat.messages import BaseChatMessage, HandoffMessage, TextMessage
from autogen_core import AgentId, AgentRuntime, CancellationToken, MessageContext, RoutedAgent, rpc
from autogen_core.models import RequestUsage


@dataclass
class TakeTurn:
    messages: List[Dict[str, str]]  # each with source and content
    note: str = ""


@dataclass
class TurnTaken:
    content: str
    handoff: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0


class ChatParticipant(RoutedAgent):
    """An agent of AgentChat that takes turns in a team of Troupe's."""

    def __init__(self, agent: ChatAgent) -> None:
        super().__init__(agent.description)
        self._agent = agent

    @rpc
    async def take_turn(self, message: TakeTurn, ctx: MessageContext) -> TurnTaken:
        given = [TextMessage(source=one["source"], content=one["content"]) for one in message.messages]
        if message.note:
            given.append(TextMessage(source="team", content=message.note))
        response = await self._agent.on_messages(given, ctx.cancellation_token)
        said = response.chat_message
        usage = [one.models_usage for one in [*(response.inner_messages or []), said] if one.models_usage]
        return TurnTaken(
            content=said.to_text(),
            handoff=said.target if isinstance(said, HandoffMessage) else "",
            prompt_tokens=sum(one.prompt_tokens for one in usage),
            completion_tokens=sum(one.completion_tokens for one in usage),
        )


class RemoteParticipant(BaseChatAgent):
    """An agent anywhere that takes turns in a team of AgentChat's."""

    produced_message_types = (TextMessage, HandoffMessage)

    def __init__(self, name: str, description: str, runtime: AgentRuntime, agent: AgentId) -> None:
        super().__init__(name, description)
        self._runtime, self._agent = runtime, agent

    async def on_messages(self, messages: Sequence[BaseChatMessage], cancellation_token: CancellationToken) -> Response:
        turn = TakeTurn([{"source": one.source, "content": one.to_text()} for one in messages])
        taken = await self._runtime.send_message(turn, self._agent, cancellation_token=cancellation_token)
        fields: Dict[str, Any] = {"source": self.name, "content": taken.content}
        fields["models_usage"] = RequestUsage(taken.prompt_tokens, taken.completion_tokens)
        return Response(
            chat_message=HandoffMessage(target=taken.handoff, **fields) if taken.handoff else TextMessage(**fields)
        )

    async def on_reset(self, cancellation_token: CancellationToken) -> None:
        pass
