"""Teams and conditions of AgentChat with replayed models, and its agents beside those of Troupe's.

  python agentchat.py '{}'

Commands, each answered with its id:
  {"cmd": "teams", "id", "cases": [{participants, policy, until?, maxTurns?, tasks}]}  -> teams {results}
      participants: {name: [line]}; a line is {content} | {handoff} | {tool}, with prompt and completion tokens
      policy: {is: roundRobin | handoffs} | {is: selector, lines, allowRepeats} | {is: function, order}
  {"cmd": "conditions", "id", "cases": [{until, deltas}]}                               -> conditions {results}
  {"cmd": "participate", "id", "host", "type", "lines"}                                       -> done
  {"cmd": "lead", "id", "host", "participants", "remote": [name], "maxTurns", "task"}   -> teams {results}
  {"cmd": "stop", "id"} -> stopped
`until` is a tree: {is: maxMessages | mention | saidBy | handoffTo | tokens | toolCalled, ...} | {is: any | all, of: [...]}.
Pairs of conditions are joined by the operators of AgentChat.
"""

import functools
import operator
import os
import sys
from typing import Any, Dict, List, Optional

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent, TaskResult, TerminationCondition
from autogen_agentchat.conditions import (
    FunctionCallTermination,
    HandoffTermination,
    MaxMessageTermination,
    SourceMatchTermination,
    TextMentionTermination,
    TokenUsageTermination,
)
from autogen_agentchat.messages import BaseChatMessage, HandoffMessage, TextMessage, ToolCallExecutionEvent
from autogen_agentchat.teams import RoundRobinGroupChat, SelectorGroupChat, Swarm
from autogen_core import AgentId, FunctionCall, try_get_known_serializers_for_type
from autogen_core.models import CreateResult, FunctionExecutionResult, RequestUsage
from autogen_core.tools import FunctionTool
from autogen_ext.models.replay import ReplayChatCompletionClient
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime

sys.path.append(os.path.join(os.path.dirname(__file__), "../../../examples/teams-with-python"))
from chat_participant import ChatParticipant, RemoteParticipant, TakeTurn, TurnTaken  # noqa: E402

from peer import Command, configuration, emit, run, serve_commands, versions  # noqa: E402

Json = Dict[str, Any]
model_info: Any = {
    **{"vision": False, "function_calling": True, "json_output": False, "structured_output": False},
    "family": "unknown",
}


def condition(tree: Json) -> TerminationCondition:
    kind = tree["is"]
    if kind in ("any", "all"):
        return functools.reduce(operator.or_ if kind == "any" else operator.and_, map(condition, tree["of"]))
    if kind == "maxMessages":
        return MaxMessageTermination(tree["most"])
    if kind == "mention":
        return TextMentionTermination(tree["text"], tree.get("sources"))
    if kind == "saidBy":
        return SourceMatchTermination(tree["sources"])
    if kind == "handoffTo":
        return HandoffTermination(tree["target"])
    if kind == "toolCalled":
        return FunctionCallTermination(tree["tool"])
    return TokenUsageTermination(tree.get("total"), tree.get("prompt"), tree.get("completion"))


def usage_of(line: Json) -> RequestUsage:
    return RequestUsage(line.get("prompt", 0), line.get("completion", 0))


def completion(line: Json) -> CreateResult:
    name = f"transfer_to_{line['handoff']}" if "handoff" in line else line.get("tool")
    content: Any = line.get("content") if name is None else [FunctionCall(id="1", name=name, arguments="{}")]
    reason: Any = "stop" if name is None else "function_calls"
    return CreateResult(finish_reason=reason, content=content, usage=usage_of(line), cached=False)


def tool_named(tool: str) -> FunctionTool:
    def use() -> str:
        return f"{tool} is done"

    return FunctionTool(use, description=tool, name=tool)


def assistant(name: str, lines: List[Json]) -> AssistantAgent:
    client = ReplayChatCompletionClient([completion(line) for line in lines], model_info)
    handoffs: List[Any] = sorted({line["handoff"] for line in lines if "handoff" in line})
    tools: List[Any] = [tool_named(tool) for tool in sorted({line["tool"] for line in lines if "tool" in line})]
    return AssistantAgent(name, client, tools=tools, handoffs=handoffs, description=f"the {name}")


def team_of(case: Json, participants: List[ChatAgent]) -> Any:
    policy = case["policy"]
    until = condition(case["until"]) if "until" in case else None
    bounds: Json = {"termination_condition": until, "max_turns": case.get("maxTurns")}
    if policy["is"] == "roundRobin":
        return RoundRobinGroupChat(participants, **bounds)  # type: ignore[arg-type]
    if policy["is"] == "handoffs":
        return Swarm(participants, **bounds)
    lines = ReplayChatCompletionClient(policy.get("lines", []), model_info)
    order = iter(policy.get("order", []))
    return SelectorGroupChat(
        participants,  # type: ignore[arg-type]
        lines,
        allow_repeated_speaker=policy.get("allowRepeats", False),
        selector_func=(lambda _: next(order)) if policy["is"] == "function" else None,
        **bounds,
    )


def shown(result: TaskResult) -> Json:
    usage = [message.models_usage for message in result.messages if message.models_usage is not None]
    return {
        "messages": [f"{one.source}: {one.to_text()}" for one in result.messages if isinstance(one, BaseChatMessage)],
        "stop_reason": result.stop_reason,
        "prompt_tokens": sum(one.prompt_tokens for one in usage),
        "completion_tokens": sum(one.completion_tokens for one in usage),
    }


def message_of(line: Json) -> List[Any]:
    """What a participant adds to the thread, as AgentChat has it."""
    said: Json = {"source": line["source"], "content": line["content"], "models_usage": usage_of(line)}
    executed = [
        ToolCallExecutionEvent(
            source=line["source"],
            content=[FunctionExecutionResult(content="", name=tool, call_id="1", is_error=False)],
        )
        for tool in line.get("tools", [])
    ]
    target: Optional[str] = line.get("handoff")
    return [*executed, HandoffMessage(target=target, **said) if target else TextMessage(**said)]


async def main() -> None:
    configuration()
    runtimes: List[GrpcWorkerAgentRuntime] = []

    async def connect(host: str) -> GrpcWorkerAgentRuntime:
        runtime = GrpcWorkerAgentRuntime(host)
        await runtime.start()
        for message in (TakeTurn, TurnTaken):
            runtime.add_message_serializer(try_get_known_serializers_for_type(message))
        runtimes.append(runtime)
        return runtime

    async def play_teams(command: Command) -> None:
        results: List[List[Json]] = []
        for case in command["cases"]:
            team = team_of(case, [assistant(name, lines) for name, lines in case["participants"].items()])
            results.append([shown(await team.run(task=task)) for task in case["tasks"]])
        emit("teams", id=command["id"], results=results)

    async def try_conditions(command: Command) -> None:
        results: List[Optional[Json]] = []
        for case in command["cases"]:
            until = condition(case["until"])
            outcome: Optional[Json] = None
            for at, delta in enumerate(case["deltas"]):
                stop = await until([message for line in delta for message in message_of(line)])
                if stop is not None:
                    outcome = {"at": at, "reason": stop.content}
                    break
            results.append(outcome)
        emit("conditions", id=command["id"], results=results)

    async def participate(command: Command) -> None:
        runtime = await connect(command["host"])
        type_, lines = command["type"], command["lines"]
        await ChatParticipant.register(runtime, type_, lambda: ChatParticipant(assistant(type_, lines)))
        emit("done", id=command["id"])

    async def lead(command: Command) -> None:
        runtime = await connect(command["host"])
        participants: List[ChatAgent] = [
            RemoteParticipant(name, f"the {name}", runtime, AgentId(name, "lead"))
            if name in command["remote"]
            else assistant(name, lines)
            for name, lines in command["participants"].items()
        ]
        team = team_of({"policy": {"is": "roundRobin"}, "maxTurns": command["maxTurns"]}, participants)
        emit("teams", id=command["id"], results=[[shown(await team.run(task=command["task"]))]])

    async def stop(command: Command) -> None:
        for runtime in runtimes:
            await runtime.stop()
        emit("stopped", id=command.get("id"))

    emit("ready", role="worker", **versions())
    await serve_commands(
        {"teams": play_teams, "conditions": try_conditions, "participate": participate, "lead": lead, "stop": stop}
    )


run(main)
