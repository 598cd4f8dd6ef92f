"""Prometheus metrics of this process, in one registry of our own.

Metrics are made once per name, so that the four services of the all-in-one process share them; what belongs
to one service carries a label saying so. Labels never hold ids, names or anything a caller chose freely; the
one exception is the name of an application, which an administrator chose.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import APIRouter
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics import MetricWrapperBase
from starlette.responses import Response

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_made: dict[str, MetricWrapperBase] = {}

MetricT = TypeVar("MetricT", bound=MetricWrapperBase)

REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


def _get(kind: type[MetricT], name: str, description: str, labels: Sequence[str], **options: Any) -> MetricT:
    known = _made.get(name)
    if known is None:
        known = _made[name] = kind(name, description, labels, registry=REGISTRY, **options)
    if not isinstance(known, kind):
        raise TypeError(f"metric {name} exists as {type(known).__name__}")
    return known


def counter(name: str, description: str, labels: Sequence[str] = ()) -> Counter:
    """The counter of this name, made at the first call."""
    return _get(Counter, name, description, labels)


def gauge(name: str, description: str, labels: Sequence[str] = ()) -> Gauge:
    """The gauge of this name, made at the first call."""
    return _get(Gauge, name, description, labels)


def histogram(
    name: str, description: str, labels: Sequence[str] = (), buckets: Sequence[float] = REQUEST_BUCKETS
) -> Histogram:
    """The histogram of this name, made at the first call. Seconds, unless the name says otherwise."""
    return _get(Histogram, name, description, labels, buckets=tuple(buckets))


def router() -> APIRouter:
    """``/metrics`` and ``/actuator/prometheus``, both in Prometheus' text form."""
    routes = APIRouter()

    @routes.get("/metrics", include_in_schema=False)
    @routes.get("/actuator/prometheus", include_in_schema=False)
    async def scrape() -> Response:
        return Response(generate_latest(REGISTRY), headers={"content-type": CONTENT_TYPE_LATEST})

    return routes
