"""Recording by OpenTelemetry's SDK, and sending to a collector by OTLP over HTTP. An optional extra.

Spans wait in a bounded queue, which a thread empties: a collector that is away costs spans, and no request.
"""

from __future__ import annotations

import asyncio
import logging
import os
import re
import socket
from collections.abc import Sequence
from random import getrandbits, random
from threading import Thread
from time import monotonic
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.sampling import DEFAULT_ON

from servicekit import metrics
from servicekit.logs import get_logger
from servicekit.tracing import Kind, Recording, Span

WAITING_SPANS = 2048
"""That a process keeps for its collector; the oldest go when there are more."""
SENT_TOGETHER = 512
SENT_EVERY_SECONDS = 1.0
EXPORT_SECONDS = 3.0
"""How long a collector may take over one request, repetitions included; and at the end over all."""

_LIMITS = SpanLimits(max_attributes=16, max_links=64, max_attribute_length=256, max_events=0)
_KINDS = {kind: trace.SpanKind[kind.value] for kind in Kind}
_TRACEPARENT = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-.{0,200})?"
)
_NOWHERE = Context()

_log = get_logger(__name__)
_spans = metrics.counter(
    "tracing_spans", "Recorded spans, and whether a collector has them", {"outcome": ("sent", "lost")}
)
_sent, _lost = _spans.labels("sent"), _spans.labels("lost")
for _talkative in ("opentelemetry.exporter", "opentelemetry.sdk", "urllib3.connectionpool"):
    # They tell of every attempt, with its URL: that a collector is away is told here, once.
    logging.getLogger(_talkative).setLevel(logging.CRITICAL)


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
        self._provider.add_span_processor(_Processor(self._exporter))
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
            return _unrecorded(parent)  # the SDK would take ten times as long over it
        linked = [trace.Link(_context_of(span)) for span in links]
        made = self._tracer.start_span(name, _inside(parent), _KINDS[kind], links=linked)
        # One that was disabled from outside records nothing and gives no ids.
        return _span(made.get_span_context(), made) if made.is_recording() else _unrecorded(parent)

    def follow(self, traceparent: str) -> Span | None:
        """See `Recorder.follow`."""
        found = _read(traceparent)
        return None if found is None or found.recording is None else found

    async def close(self) -> None:
        """Send what waits; a collector that is slow or away keeps nobody waiting for long."""
        self._exporter.ends_at = monotonic() + EXPORT_SECONDS
        # A thread of its own, which the end of the process does not wait for.
        ending = Thread(target=self._provider.shutdown, name="spans", daemon=True)
        ending.start()
        await asyncio.to_thread(ending.join, EXPORT_SECONDS)


class _Exporter(OTLPSpanExporter):
    """Tells once that its collector is away and once that it is back, and counts what it loses. When the
    process ends it does not wait again for one that is away.

    :ivar ends_at: moment of :func:`time.monotonic` after which nothing is sent
    :ivar taken: spans that left the queue
    """

    ends_at = float("inf")
    taken = 0
    _away = False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send spans; what cannot be sent is lost."""
        self.taken += len(spans)
        ending = self.ends_at < float("inf")
        if (ending and self._away) or monotonic() >= self.ends_at:
            result = SpanExportResult.FAILURE
        else:
            result = super().export(spans)
            self._tell(away=result is not SpanExportResult.SUCCESS)
        (_sent if result is SpanExportResult.SUCCESS else _lost).inc(len(spans))
        return result

    def _tell(self, *, away: bool) -> None:
        if away is not self._away:
            tell = _log.warning if away else _log.info
            host = urlsplit(self._endpoint).hostname
            tell("trace collector away" if away else "trace collector back", host=host)
        self._away = away


class _Processor(BatchSpanProcessor):
    """Counts the spans that its queue has no room for."""

    def __init__(self, exporter: _Exporter) -> None:
        super().__init__(
            exporter,
            max_queue_size=WAITING_SPANS,
            max_export_batch_size=SENT_TOGETHER,
            schedule_delay_millis=SENT_EVERY_SECONDS * 1000,
        )
        self._exporter = exporter
        self._given = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Let a span wait for its collector."""
        super().on_end(span)
        if self._given - self._exporter.taken < WAITING_SPANS:
            self._given += 1
        else:
            _lost.inc()  # the oldest has gone


def _unrecorded(above: Span | None) -> Span:
    trace_id = f"{getrandbits(128):032x}" if above is None else above.trace_id
    return Span(trace_id, f"{getrandbits(64):016x}", None)


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
