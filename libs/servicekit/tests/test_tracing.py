"""Which trace a piece of work belongs to, on every hop; and that whoever records nothing pays nothing."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from servicekit import logs, metrics, trace_export, tracing
from servicekit.batching import MicroBatcher, Settled
from servicekit.bus import Event
from servicekit.bus.memory import InMemoryBus
from servicekit.calls.bundler import Bundler
from servicekit.calls.client import AsgiTransport, ServiceClient
from servicekit.edge.bundles import Bundles
from servicekit.edge.fast import ObjectCall
from servicekit.errors import ErrorFamily
from servicekit.serving import BackgroundServer
from servicekit.settings import ServiceSettings
from servicekit.start_rules import StartRefused
from servicekit.startup import embedded_settings
from servicekit.trace_export import SdkRecorder
from servicekit.tracing import Kind, Span

if TYPE_CHECKING:
    from libs.servicekit.tests.conftest import ClientOf, MakeApp

ROOT = "/powerauth-test"
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"
NOT_RECORDED = f"00-{TRACE}-00f067aa0ba902b7-00"


@dataclass
class Made:
    """A span that somebody recorded."""

    name: str
    kind: Kind
    trace: str
    id: str
    above: str
    links: list[str]
    facts: dict[str, Any] = field(default_factory=dict)
    ended: bool = False

    def update_name(self, name: str) -> None:
        self.name = name

    def set_attribute(self, key: str, value: Any) -> None:
        self.facts[key] = value

    def end(self) -> None:
        self.ended = True


class Recorder:
    """Keeps spans in memory.

    :ivar recorded: whether traces that begin here are
    """

    def __init__(self) -> None:
        self.made: list[Made] = []
        self.recorded = True

    def begin(
        self, name: str, kind: Kind, above: str | Span | None = None, links: Sequence[Span] = ()
    ) -> Span:
        span_id = f"{len(self.made) + 1:016x}"
        recorded, trace, parent = self.recorded, f"{len(self.made) + 1:032x}", ""
        if isinstance(above, Span):
            above = above.traceparent
        if above is not None:
            _, trace, parent, flags = above.split("-")
            recorded = flags == "01"
        made = Made(name, kind, trace, span_id, parent, [each.span_id for each in links])
        if recorded:
            self.made.append(made)
        return Span(trace, span_id, made if recorded else None)

    def follow(self, traceparent: str) -> Span | None:
        _, trace, span_id, flags = traceparent.split("-")
        return Span(trace, span_id, Made("", Kind.CLIENT, trace, span_id, "", [])) if flags == "01" else None

    def named(self, name: str) -> Made:
        """The one span of this name."""
        (found,) = [made for made in self.made if made.name == name]
        return found


@pytest.fixture
def recorder() -> Generator[Recorder]:
    made = Recorder()
    tracing.use(made)
    yield made
    tracing.use(None)


def _router() -> APIRouter:
    router = APIRouter()

    @router.get("/things/{name}")
    async def thing(name: str) -> dict[str, str | None]:
        return {"stored": tracing.stored()}

    @router.get("/broken")
    async def broken() -> None:
        raise RuntimeError("secret")

    return router


@pytest.fixture
def traced_app(make_app: MakeApp) -> Any:
    return make_app(_router(), tracing_endpoint="http://127.0.0.1:1")


async def test_a_request_goes_on_with_its_callers_trace_named_by_its_route(
    traced_app: Any,
    recorder: Recorder,
    client_of: ClientOf,
    log_lines: Callable[[], list[dict[str, Any]]],
) -> None:
    answer = await client_of(traced_app).get("/things/alice", headers={"traceparent": CALLER})
    made = recorder.named("GET /things/{name}")
    assert (made.trace, made.above, made.kind, made.ended) == (TRACE, CALLER[36:52], Kind.SERVER, True)
    assert "alice" not in repr(made)
    assert answer.json() == {"stored": f"00-{TRACE}-{made.id}-01"}
    (line,) = [line for line in log_lines() if line["event"] == "request"]
    assert (line["trace_id"], line["span_id"]) == (TRACE, made.id)
    assert tracing.current.get() is None


async def test_a_failed_request_says_so_without_saying_why(
    traced_app: Any, recorder: Recorder, client_of: ClientOf
) -> None:
    await client_of(traced_app).get("/broken")
    made = recorder.named("GET /broken")
    assert made.facts["error.type"] == "500"
    assert "secret" not in repr(made)


async def test_who_does_not_trust_its_callers_begins_traces(
    make_app: MakeApp, recorder: Recorder, client_of: ClientOf
) -> None:
    app = make_app(_router(), tracing_endpoint="http://127.0.0.1:1", tracing_trust_incoming=False)
    await client_of(app).get("/things/a", headers={"traceparent": CALLER})
    assert recorder.named("GET /things/{name}").above == ""


async def test_without_an_endpoint_nothing_is_read_kept_or_sent(
    make_app: MakeApp, client_of: ClientOf, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    answer = await client_of(make_app(_router())).get("/things/a", headers={"traceparent": CALLER})
    assert answer.json() == {"stored": None}
    assert not any("trace_id" in line for line in log_lines())


async def test_what_is_not_recorded_passes_its_ids_on_and_stores_nothing(
    traced_app: Any, recorder: Recorder
) -> None:
    received: list[str] = []

    async def other(scope: Any, receive: Any, send: Any) -> None:
        received.append(dict(scope["headers"])[b"traceparent"].decode())
        await Response()(scope, receive, send)

    token = tracing.arrive(NOT_RECORDED, "POST")
    assert tracing.stored() is None
    await ServiceClient("http://other", transport=AsgiTransport(other)).post_json("/", b"{}")
    tracing.leave(token)
    assert [header.split("-")[1::2] for header in received] == [[TRACE, "00"]]
    assert recorder.made == []


class Wanted(BaseModel):
    """What a bundled call asks for."""

    number: int


async def test_calls_of_a_bundle_belong_each_to_its_own_trace(
    make_app: MakeApp, family: ErrorFamily, recorder: Recorder
) -> None:
    app = make_app(tracing_endpoint="http://127.0.0.1:1")

    async def perform(_app: Any, wanted: Wanted) -> Response:
        return JSONResponse({"number": wanted.number, "stored": tracing.stored()})

    bundles = Bundles({"/call": ObjectCall(Wanted, perform)}, family)

    async def alone(request: Request) -> Response:
        return await ObjectCall(Wanted, perform).answer(request)

    app.add_route("/bundle", bundles.answer, methods=["POST"])
    app.add_route("/call", alone, methods=["POST"])
    async with BackgroundServer(app) as server:
        client = ServiceClient(server.url + ROOT)
        bundler = Bundler(client, "/bundle")

        async def call(number: int) -> tuple[str, dict[str, Any]]:
            token = tracing.arrive(None, "POST")
            span = tracing.current.get()
            assert span is not None
            body = json.dumps({"requestObject": {"number": number}}).encode()
            answer = await bundler.post_json("/call", body)
            tracing.leave(token)
            return span.trace_id, json.loads(answer.body)

        told = await asyncio.gather(*[call(number) for number in range(4)])
        await client.close()
    assert all(answer["stored"].split("-")[1] == trace for trace, answer in told)
    assert len({trace for trace, _ in told}) == len(told)
    bundle = recorder.named("bundle")
    members = {made.id for made in recorder.made if made.kind is Kind.CLIENT}
    assert set(bundle.links) == members
    assert recorder.named("POST /bundle").above == bundle.id


@dataclass
class Job:
    """One of several that go together."""

    key: str
    span: Span | None = field(default_factory=tracing.current.get)


async def test_a_batch_is_a_trace_of_its_own_that_links_to_its_jobs(recorder: Recorder) -> None:
    found: list[str | None] = []

    async def run(jobs: Sequence[Job]) -> list[Settled[str | None]]:
        for job in jobs:
            with tracing.within(job.span):
                found.append(tracing.stored())
        return [Settled(tracing.stored()) for _ in jobs]

    batcher: MicroBatcher[Job, str | None] = MicroBatcher(run, max_size=8, in_flight=1)

    async def one(key: str) -> str:
        token = tracing.arrive(None, key)
        span = tracing.current.get()
        assert span is not None
        await batcher.submit(Job(key))
        tracing.leave(token)
        return span.traceparent

    asked = await asyncio.gather(*map(one, "abc"))
    assert found == asked
    batch = recorder.named("Job")
    assert batch.above == ""
    assert sorted(batch.links) == sorted(trace.split("-")[2] for trace in asked)


async def test_an_event_goes_on_with_the_trace_in_which_it_came_about(recorder: Recorder) -> None:
    heard = asyncio.Queue[str | None]()

    async def hear(_event: Event) -> None:
        heard.put_nowait(tracing.stored())

    bus = InMemoryBus()
    await bus.subscribe("other", ["it.happened"], hear)
    await bus.start()
    token = tracing.arrive(CALLER, "POST")
    event = Event.create("it.happened", "/here", "1", {})
    tracing.leave(token)
    assert Event.from_json(event.to_json()) == event
    await bus.publish(event)
    assert (await heard.get() or "").split("-")[1] == TRACE
    assert recorder.named("process it.happened").kind is Kind.CONSUMER
    await bus.publish(Event.create("it.happened", "/here", "2", {}))
    assert await heard.get() is None
    await bus.close()


async def test_the_sdk_records_a_share_and_follows_what_began_elsewhere() -> None:
    nothing = SdkRecorder("a", "1", "http://127.0.0.1:9/v1/traces", 0.0)
    everything = SdkRecorder("a", "1", "http://127.0.0.1:9/v1/traces", 1.0)
    assert nothing.begin("x", Kind.SERVER).recording is None
    assert nothing.begin("x", Kind.SERVER, CALLER).traceparent.startswith(f"00-{TRACE}-")
    assert nothing.begin("x", Kind.SERVER, CALLER).recording is not None
    assert everything.begin("x", Kind.SERVER, NOT_RECORDED).recording is None
    assert everything.begin("x", Kind.SERVER, NOT_RECORDED).trace_id == TRACE
    assert everything.begin("x", Kind.SERVER, "nonsense").recording is not None
    assert everything.follow(NOT_RECORDED) is None
    for wrong in (f"00-{'0' * 32}-00f067aa0ba902b7-01", f"ff{CALLER[2:]}", f"{CALLER}-more", CALLER.upper()):
        assert everything.begin("x", Kind.SERVER, wrong).trace_id != TRACE
    assert everything.begin("x", Kind.SERVER, f"01{CALLER[2:]}-more").trace_id == TRACE
    batch = nothing.begin("x", Kind.INTERNAL, links=[everything.begin("y", Kind.SERVER)])
    assert batch.recording is not None
    # A collector that is away keeps nobody waiting for ever.
    batch.recording.end()
    await asyncio.gather(nothing.close(), everything.close())


class _Collector(BaseHTTPRequestHandler):
    """Takes its time over what it is sent."""

    def do_POST(self) -> None:
        if self.server.away:  # type: ignore[attr-defined]
            self.send_error(400)
            return
        time.sleep(self.server.seconds)  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_said: object) -> None:
        """Nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Generator[Any]:
    monkeypatch.setattr(trace_export, "SENT_EVERY_SECONDS", 0.05)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Collector)
    server.away, server.seconds, server.daemon_threads = False, 0.0, True  # type: ignore[attr-defined]
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _spans(outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("tracing_spans_total", {"outcome": outcome}) or 0


def _recording(collector: Any) -> SdkRecorder:
    return SdkRecorder("a", "1", f"http://127.0.0.1:{collector.server_port}/v1/traces", 1.0)


def _end_some(recorder: SdkRecorder, number: int) -> None:
    for _ in range(number):
        made = recorder.begin("x", Kind.SERVER).recording
        assert made is not None
        made.end()


async def test_a_collector_that_is_away_is_told_once_and_its_spans_are_counted(
    collector: Any, until: Callable[..., Any], log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    sent, lost = _spans("sent"), _spans("lost")
    recorder = _recording(collector)
    collector.away = True
    for number in (1, 2):
        _end_some(recorder, 1)
        await until(lambda number=number: _spans("lost") == lost + number)
    collector.away = False
    _end_some(recorder, 1)
    await until(lambda: _spans("sent") == sent + 1)
    await recorder.close()
    told = [line["event"] for line in log_lines()]
    assert told == ["trace collector away", "trace collector back"]


async def test_a_slow_collector_does_not_hold_up_the_end(
    collector: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trace_export, "EXPORT_SECONDS", 0.5)
    recorder = _recording(collector)
    collector.seconds = 0.4
    lost = _spans("lost")
    _end_some(recorder, 3 * trace_export.WAITING_SPANS)
    assert _spans("lost") > lost
    began = time.monotonic()
    await recorder.close()
    assert time.monotonic() - began < 0.9


async def test_an_sdk_that_is_disabled_from_outside_records_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    recorder = SdkRecorder("a", "1", "http://127.0.0.1:9/v1/traces", 1.0)
    begun = recorder.begin("x", Kind.SERVER)
    assert begun.recording is None
    assert begun.trace_id.strip("0")
    assert begun.span_id.strip("0")
    assert recorder.begin("x", Kind.SERVER, CALLER).trace_id == TRACE
    await recorder.close()


def test_an_endpoint_has_no_query() -> None:
    with pytest.raises(StartRefused, match="has a query") as refused:
        embedded_settings(ServiceSettings, tracing_endpoint="http://collector:4318/v1/traces?key=s3cret")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize(
    ("endpoint", "posted"),
    [
        ("http://collector:4318", "http://collector:4318/v1/traces"),
        ("http://collector:4318/", "http://collector:4318/v1/traces"),
        ("https://collector/otlp/v1/traces", "https://collector/otlp/v1/traces"),
    ],
)
def test_an_endpoint_without_a_path_gets_the_usual_one(endpoint: str, posted: str) -> None:
    assert ServiceSettings(tracing_endpoint=endpoint).traces_url == posted


def test_lines_outside_of_a_trace_name_none(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    logs.get_logger("x").info("alone")
    assert "trace_id" not in log_lines()[-1]
