"""Alert rules and dashboards name metrics that there are, and every alert says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import promql_parser
import pytest
import yaml

import powerauth_cli.metrics_reference  # noqa: F401 - knows every metric
from servicekit.metrics import Declared, declared

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
OF_PROMETHEUS = {"job", "instance"}
"""Labels that a scrape adds to everything."""
OF_OTHERS = {"up", "process_cpu_seconds_total", "process_resident_memory_bytes"}
_ENDINGS = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_count", "_sum")}


class Query(NamedTuple):
    """An expression, and where it stands."""

    place: str
    text: str


def _rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "rules" / "powerauth.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def _dashboards() -> dict[str, dict[str, Any]]:
    return {
        path.stem: json.loads(path.read_text()) for path in sorted((FOLDER / "dashboards").glob("*.json"))
    }


def _queries() -> Iterator[Query]:
    for rule in _rules():
        yield Query(rule["alert"], rule["expr"])
    for name, dashboard in _dashboards().items():
        for panel in dashboard["panels"]:
            for target in panel["targets"]:
                yield Query(f"{name}: {panel['title']}", target["expr"].replace("$__rate_interval", "5m"))


def _served() -> dict[str, Declared]:
    """Every series' name with its metric."""
    return {metric.name + ending: metric for metric in declared.values() for ending in _ENDINGS[metric.kind]}


def _parts(node: Any) -> Iterator[Any]:
    """A parsed expression and all that it is made of."""
    yield node
    below = [getattr(node, name, None) for name in ("lhs", "rhs", "expr", "vector_selector")]
    for each in [*below, *getattr(node, "args", ())]:
        if each is not None:
            yield from _parts(each)


def _faults(query: Query) -> list[str]:
    parsed = list(_parts(promql_parser.parse(query.text)))
    selectors = [node for node in parsed if isinstance(node, promql_parser.VectorSelector)]
    labels = [_labels_of(selector.name) for selector in selectors]
    known = set.union(*labels, {"le"})
    grouped = {
        label
        for node in parsed
        if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None
        for label in node.modifier.labels
    }
    faults = [f"groups by {label}" for label in grouped - known - OF_PROMETHEUS]
    for selector, own in zip(selectors, labels, strict=True):
        if not own and selector.name not in OF_OTHERS and selector.name not in _served():
            faults.append(f"no metric {selector.name}")
        faults += [fault for each in selector.matchers.matchers for fault in _mismatch(selector.name, each)]
    return faults


def _labels_of(name: str | None) -> set[str]:
    metric = _served().get(name or "")
    return set() if metric is None else set(metric.labels)


def _mismatch(name: str | None, matcher: Any) -> Iterator[str]:
    """A label that the metric has not, or a value that it cannot have."""
    if matcher.name in OF_PROMETHEUS:
        return
    metric = _served().get(name or "")
    values = None if metric is None else metric.labels.get(matcher.name)
    if values is None:
        yield f"{name} has no label {matcher.name}"
    elif isinstance(values, list | tuple) and not any(re.fullmatch(matcher.value, value) for value in values):
        yield f"{name} is never with {matcher.name}={matcher.value}"


def test_every_metric_label_and_value_in_a_query_exists() -> None:
    queries = list(_queries())
    assert len(queries) > 50, "the queries are no longer found"
    assert {query.place: faults for query in queries if (faults := _faults(query))} == {}


@pytest.mark.parametrize(
    "wrong",
    [
        "rate(no_such_metric_total[5m])",
        'sum(callback_deliveries_total{outcom="accepted"})',
        'sum(callback_deliveries_total{outcome="acepted"})',
        "sum by (rout) (rate(http_server_request_seconds_count[5m]))",
        "http_server_request_seconds",
    ],
)
def test_a_query_of_what_there_is_not_is_found(wrong: str) -> None:
    assert _faults(Query("", wrong))


def test_every_alert_has_a_severity_a_summary_and_a_heading_that_says_what_to_do() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    headings = {
        f"docs/operations.md#{name.lower()}" for name in re.findall(r"^### (PowerAuth\w+)$", text, re.M)
    }
    rules = _rules()
    assert {rule["annotations"]["runbook"] for rule in rules} == headings
    for rule in rules:
        assert rule["annotations"]["runbook"].endswith(f"#{rule['alert'].lower()}")
        assert rule["annotations"]["summary"]
        assert rule["labels"]["severity"] in ("critical", "warning")
    assert len({rule["alert"] for rule in rules}) == len(rules)


def test_dashboards_have_names_and_panels_of_their_own() -> None:
    found = _dashboards()
    assert set(found) == {"overview", "core", "enrollment", "push", "database-and-bus"}
    assert len({board["uid"] for board in found.values()}) == len(found)
    for board in found.values():
        assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
        assert all(
            target["datasource"]["uid"] == "${source}"
            for panel in board["panels"]
            for target in panel["targets"]
        )
