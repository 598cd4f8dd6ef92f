"""A collector of traces: it takes spans by OTLP over HTTP and keeps them in memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


@dataclass(frozen=True, slots=True)
class Seen:
    """A span.

    :ivar above: id of its parent; empty: it has none
    :ivar links: ids of the spans that it is done for
    """

    service: str
    name: str
    kind: str
    trace: str
    id: str
    above: str
    links: tuple[str, ...]
    facts: dict[str, str | int]


@dataclass
class Collector:
    """An ASGI application at ``/v1/traces``; whatever else is posted is a callback of the core.

    :ivar called_back: the ``traceparent`` of each callback
    """

    spans: list[Seen] = field(default_factory=list)
    called_back: list[str] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        content = await request.body()
        if request.url.path == "/v1/traces":
            self.take(content)
        else:
            self.called_back.append(request.headers.get("traceparent", ""))
        await Response()(scope, receive, send)

    def take(self, content: bytes) -> None:
        """Keep the spans of one request."""
        for resource in ExportTraceServiceRequest.FromString(content).resource_spans:
            named = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [_seen(named["service.name"], span) for span in scope.spans]

    def of(self, trace_id: str) -> set[tuple[str, str]]:
        """Service and name of what belongs to a trace."""
        return {(span.service, span.name) for span in self.spans if span.trace == trace_id}


def _seen(service: str, span: Span) -> Seen:
    facts: dict[str, str | int] = {}
    for each in span.attributes:
        value = each.value
        facts[each.key] = value.int_value if value.HasField("int_value") else value.string_value
    return Seen(
        service=service,
        name=span.name,
        kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        above=span.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in span.links),
        facts=facts,
    )
