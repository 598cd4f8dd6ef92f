"""Recording by OpenTelemetry's SDK, and sending to a collector by OTLP over HTTP. An optional extra.

Spans wait in a bounded queue, which a thread empties: a collector that is away costs spans, and no request.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
from collections.abc import Sequence
from random import getrandbits, random

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

from servicekit.tracing import Kind, Recording, Span

WAITING_SPANS = 2048
"""That a process keeps for its collector; the oldest go when there are more."""
SENT_TOGETHER = 512
SENT_EVERY_SECONDS = 1.0
EXPORT_SECONDS = 3.0
"""How long a collector may take over one request, repetitions included."""

_LIMITS = SpanLimits(max_attributes=16, max_links=64, max_attribute_length=256, max_events=0)
_KINDS = {kind: trace.SpanKind[kind.value] for kind in Kind}
_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.{0,200})?"
)
_NOWHERE = Context()


class SdkRecorder:
    """`servicekit.tracing.Recorder` that sends to a collector.

    :param service: as its metrics name it
    :param endpoint: where spans are posted, path included: ``http://collector:4318/v1/traces``
    :param sample_ratio: of the traces that begin here, those that are recorded; others go as they began
    """

    def __init__(self, service: str, version: str, endpoint: str, sample_ratio: float) -> None:
        self._sample_ratio = sample_ratio
        self._exporter = _Exporter(endpoint=endpoint, timeout=EXPORT_SECONDS)
        self._provider = TracerProvider(
            resource=Resource.create(
                {
                    "service.name": service,
                    "service.version": version,
                    "service.instance.id": f"{socket.gethostname()}:{os.getpid()}",
                }
            ),
            sampler=DEFAULT_ON,
            span_limits=_LIMITS,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(
            BatchSpanProcessor(
                self._exporter,
                max_queue_size=WAITING_SPANS,
                max_export_batch_size=SENT_TOGETHER,
                schedule_delay_millis=SENT_EVERY_SECONDS * 1000,
            )
        )
        self._tracer = self._provider.get_tracer("powerauth", version)

    def begin(
        self, name: str, kind: Kind, above: str | Span | None = None, links: Sequence[Span] = ()
    ) -> Span:
        """See `Recorder.begin`."""
        parent = _read(above) if isinstance(above, str) else above
        if parent is None:
            unwanted = not links and random() >= self._sample_ratio  # noqa: S311 - guards nothing
        else:
            unwanted = parent.recording is None
        if unwanted:
            # The SDK would take ten times as long over it.
            trace_id = f"{getrandbits(128):032x}" if parent is None else parent.trace_id
            return Span(trace_id, f"{getrandbits(64):016x}", None)
        linked = [trace.Link(_context_of(span)) for span in links]
        made = self._tracer.start_span(name, _inside(parent), _KINDS[kind], links=linked)
        return _span(made.get_span_context(), made if made.is_recording() else None)

    def follow(self, traceparent: str) -> Span | None:
        """See `Recorder.follow`."""
        found = _read(traceparent)
        return None if found is None or found.recording is None else found

    async def close(self) -> None:
        """Send what waits; a collector that is away keeps nobody waiting for longer than one request."""
        self._exporter.closing = True
        await asyncio.to_thread(self._provider.shutdown)


class _Exporter(OTLPSpanExporter):
    """Does not wait again for a collector that is away, when the process ends.

    :ivar closing: the process ends
    """

    closing = False
    _failed = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; what cannot be sent is lost."""
        if self.closing and self._failed:
            return SpanExportResult.FAILURE
        result = super().export(spans)
        self._failed = result is not SpanExportResult.SUCCESS
        return result


def _read(traceparent: str) -> Span | None:
    """A span of somebody else; None: this is no traceparent. Later versions are read as the first one."""
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None or (found["version"] == "00" and found["more"]):
        return None
    sampled = int(found["flags"], 16) & trace.TraceFlags.SAMPLED
    return Span(found["trace"], found["span"], trace.INVALID_SPAN if sampled else None)


def _inside(above: Span | None) -> Context:
    if above is None:
        return _NOWHERE
    return trace.set_span_in_context(trace.NonRecordingSpan(_context_of(above)), _NOWHERE)


def _context_of(span: Span) -> trace.SpanContext:
    flags = trace.TraceFlags(trace.TraceFlags.DEFAULT if span.recording is None else trace.TraceFlags.SAMPLED)
    return trace.SpanContext(
        int(span.trace_id, 16), int(span.span_id, 16), is_remote=False, trace_flags=flags
    )


def _span(context: trace.SpanContext, recording: Recording | None) -> Span:
    return Span(trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id), recording)
