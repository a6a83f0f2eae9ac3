"""The French greeter of compose.yaml: worker.py ADDRESS. AutoGen's worker, by the proxy beside it."""

import asyncio
import os
import signal
import sys
from dataclasses import dataclass

import grpc
from autogen_core import AgentId, MessageContext, RoutedAgent, rpc, try_get_known_serializers_for_type
from autogen_ext.runtimes.grpc import GrpcWorkerAgentRuntime


@dataclass
class Greeting:
    content: str


@dataclass
class AskToGreet:
    name: str


class FrenchGreeter(RoutedAgent):
    @rpc
    async def greet(self, message: AskToGreet, ctx: MessageContext) -> Greeting:
        return Greeting(content=f"Bonjour, {message.name} !")


def tracing():
    """Traces go to the collector if the environment names one."""
    if "OTEL_EXPORTER_OTLP_ENDPOINT" not in os.environ:
        return None
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


async def until_reachable(address: str) -> None:
    """The proxy may start after this worker, and AutoGen's runtime does not try again."""
    async with grpc.aio.insecure_channel(address) as channel:
        await asyncio.wait_for(channel.channel_ready(), timeout=60)


async def main(address: str) -> None:
    stopped = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopped.set)
    await until_reachable(address)
    runtime = GrpcWorkerAgentRuntime(address, tracer_provider=tracing())
    await runtime.start()
    runtime.add_message_serializer(try_get_known_serializers_for_type(Greeting))
    await FrenchGreeter.register(runtime, "french_greeter", lambda: FrenchGreeter("greets in French"))
    greeting = await runtime.send_message(AskToGreet("Ada"), AgentId("greeter", "default"))
    print(greeting.content, flush=True)  # Hello, Ada! Bonjour, Ada !
    await stopped.wait()
    await runtime.stop()


asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "127.0.0.1:50050"))
