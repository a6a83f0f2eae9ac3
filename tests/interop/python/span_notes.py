"""A tracer that says of each span a runtime starts what it is called, what it links to and which parent it is given."""

import random
from contextlib import contextmanager
from typing import Any, Iterator

from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    TraceFlags,
    Tracer,
    TracerProvider,
    get_current_span,
    use_span,
)

from peer import emit


def ids(context: SpanContext) -> str:
    return f"{context.trace_id:032x}/{context.span_id:016x}"


class NotingTracer(Tracer):
    def start_span(self, name: str, context: Any = None, kind: Any = None, attributes: Any = None, links: Any = None,
                   *args: Any, **kwargs: Any) -> Span:  # fmt: skip
        emit(
            "span",
            name=name,
            links=[ids(link.context) for link in links or []],
            parent=None if context is None else ids(get_current_span(context).get_span_context()),
        )
        made = SpanContext(random.getrandbits(128), random.getrandbits(64), False, TraceFlags(TraceFlags.SAMPLED))
        return NonRecordingSpan(made)

    @contextmanager
    def start_as_current_span(self, name: str, *args: Any, **kwargs: Any) -> Iterator[Span]:
        with use_span(self.start_span(name, *args, **kwargs)) as span:
            yield span


class NotingTracerProvider(TracerProvider):
    def get_tracer(self, *args: Any, **kwargs: Any) -> Tracer:
        return NotingTracer()
