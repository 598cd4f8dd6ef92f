"""Prometheus metrics of this process, in one registry of our own; and those of several processes together.

Metrics are made once per name, so that the four services of the all-in-one process share them; what belongs
to one service carries a label saying so. Labels are bounded: a metric says with each what its values are, all
of them, or by whom they are made. They never hold ids, names or anything a caller chose freely; the one
exception is the name of an application, which an administrator chose.

Metrics are made where their module is imported, so that all of them are known then (docs/metrics.md).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, TypeVar

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
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

CONTENT_TYPE = CONTENT_TYPE_LATEST
"""Of `exposition`."""

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

_made: dict[str, MetricWrapperBase] = {}
declared: dict[str, Declared] = {}
"""Every metric of ours, by name."""


@dataclass(frozen=True, slots=True)
class Named:
    """The values of a label that are not listed in the code: what they are, and why they are few."""

    meaning: str


SERVICE = Named("the services")
ROUTE = Named("templates of the service's routes, and `unmatched`")
STATUS = Named("HTTP statuses")
EVENT = Named("types of events (D20)")
CONSUMER = Named("services that hear of events")
JOB = Named("the service's periodic jobs")
APPLICATION = Named("applications, which an administrator named")
DATABASE = Named("the service's own database")
SQLSTATE = Named("SQLSTATE, result codes of SQLite, types of the driver's errors")

Labels = Mapping[str, Collection[str] | Named]
"""Names of labels, each with its values."""
_NO_LABELS: Labels = {}


@dataclass(frozen=True, slots=True)
class Declared:
    """What a metric is.

    :ivar least: of several processes the least value is told, for what is the worse the less it is
    """

    name: str
    kind: str
    description: str
    labels: Labels
    least: bool = False

    @property
    def unit(self) -> str:
        """By its name; without one it counts."""
        return "s" if self.name.endswith("_seconds") else "1"


MetricT = TypeVar("MetricT", bound=MetricWrapperBase)

REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Seconds."""


def _get(
    kind: type[MetricT], name: str, description: str, labels: Labels, *, least: bool = False, **options: Any
) -> MetricT:
    known = _made.get(name)
    if known is None:
        known = _made[name] = kind(name, description, tuple(labels), registry=REGISTRY, **options)
        declared[name] = Declared(name, kind.__name__.lower(), description, labels, least)
    if not isinstance(known, kind):
        raise TypeError(f"metric {name} exists as {type(known).__name__}")
    return known


def counter(name: str, description: str, labels: Labels = _NO_LABELS) -> Counter:
    """The counter of this name, made at the first call; with all its series, where its labels list their
    values: the first event ever could not be told from a count that was there before.
    """
    made = _get(Counter, name, description, labels)
    listed = [values for values in labels.values() if not isinstance(values, Named)]
    if labels and len(listed) == len(labels):
        for values in product(*listed):
            made.labels(*values)
    return made


def gauge(name: str, description: str, labels: Labels = _NO_LABELS, *, least: bool = False) -> Gauge:
    """The gauge of this name, made at the first call.

    :param least: see `Declared`
    """
    return _get(Gauge, name, description, labels, least=least)


def histogram(
    name: str, description: str, labels: Labels = _NO_LABELS, buckets: Sequence[float] = REQUEST_BUCKETS
) -> Histogram:
    """The histogram of this name, made at the first call. Seconds, unless the name says otherwise."""
    return _get(Histogram, name, description, labels, buckets=tuple(buckets))


Sample = tuple[str, dict[str, str], float]
"""Name, labels, value."""


@dataclass(slots=True)
class Family:
    """A metric with its samples, as data that one process can give to another."""

    name: str
    kind: str
    description: str
    samples: list[Sample] = field(default_factory=list)

    @property
    def lasts(self) -> bool:
        """Whether it counts what happened, so that it must never become less."""
        return self.kind in ("counter", "histogram")


def families() -> list[Family]:
    """The metrics of this process."""
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            [(sample.name, sample.labels, sample.value) for sample in metric.samples],
        )
        for metric in REGISTRY.collect()
    ]


def merged(processes: Iterable[Sequence[Family]]) -> list[Family]:
    """The metrics of several processes as those of one: counts and sizes are added up; of moments the first
    counts, of other gauges the largest, or the least where that is the worst (`Declared`).
    """
    found: dict[str, tuple[Family, dict[tuple[str, tuple[tuple[str, str], ...]], float]]] = {}
    for family in (family for process in processes for family in process):
        known = found.setdefault(family.name, (Family(family.name, family.kind, family.description), {}))
        for name, labels, value in family.samples:
            key = (name, tuple(labels.items()))
            values = known[1]
            values[key] = _together(family, name)((values[key], value)) if key in values else value
    for family, values in found.values():
        family.samples = [(name, dict(labels), value) for (name, labels), value in values.items()]
    return [family for family, _ in found.values()]


def _together(family: Family, sample: str) -> Callable[[Iterable[float]], float]:
    if sample.endswith(("_created", "_start_time_seconds")):
        return min
    if family.lasts or sample in _ADDED_GAUGES:
        return sum
    known = declared.get(family.name)
    return min if known is not None and known.least else max


_ADDED_GAUGES = frozenset(
    {"process_virtual_memory_bytes", "process_resident_memory_bytes", "process_open_fds"}
)


class _Merged(Collector):
    def __init__(self, content: Sequence[Family]) -> None:
        self._content = content

    def collect(self) -> Iterable[Metric]:
        for family in self._content:
            metric = Metric(family.name, family.description, family.kind)
            for sample in family.samples:
                metric.add_sample(*sample)
            yield metric


def exposition(content: Sequence[Family]) -> bytes:
    """Metrics in Prometheus' text form."""
    return generate_latest(_Merged(content))
