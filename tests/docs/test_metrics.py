"""Metrics are known, bounded and documented."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import product
from pathlib import Path
from typing import cast

from powerauth_cli.metrics_reference import reference, served_name
from servicekit import metrics
from servicekit.metrics import Declared, Named

ROOT = Path(__file__).parents[2]
CURRENT = "python -m powerauth_cli.metrics_reference > docs/metrics.md"
MADE = re.compile(r"^(.*)metrics\.(?:counter|gauge|histogram)\(", re.MULTILINE)
MOST_VALUES = 16


def _of_ours() -> list[Declared]:
    return [metric for metric in metrics.declared.values() if not metric.name.startswith("test_")]


def test_the_list_of_metrics_is_current() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text() == reference(), CURRENT


def test_every_metric_is_made_where_its_module_is_imported() -> None:
    sources = [
        path for folder in ("libs", "services", "tools") for path in (ROOT / folder).rglob("src/**/*.py")
    ]
    made = [match[1] for path in sources for match in MADE.finditer(path.read_text())]
    assert [line for line in made if not re.fullmatch(r"_\w+ = ", line)] == []
    assert len(made) == len(_of_ours())


def test_a_counter_of_listed_values_counts_all_from_the_beginning() -> None:
    for metric in _of_ours():
        if metric.kind == "counter" and not any(isinstance(each, Named) for each in metric.labels.values()):
            for values in product(*cast(Iterable[Iterable[str]], metric.labels.values())):
                labels = dict(zip(metric.labels, map(str, values), strict=True))
                assert metrics.REGISTRY.get_sample_value(f"{metric.name}_total", labels) is not None, metric


def test_every_label_has_few_values_and_says_which() -> None:
    for metric in _of_ours():
        for name, values in metric.labels.items():
            if isinstance(values, Named):
                assert values.meaning, (metric.name, name)
            else:
                assert 0 < len(set(values)) <= MOST_VALUES, (metric.name, name)


def test_no_label_is_one_that_a_scrape_adds() -> None:
    # Prometheus would keep ours as `exported_…`.
    assert [metric.name for metric in _of_ours() if {"job", "instance"} & metric.labels.keys()] == []


def test_names_say_kind_and_unit() -> None:
    for metric in _of_ours():
        assert re.fullmatch(r"[a-z][a-z0-9_]*[a-z0-9]", metric.name)
        assert not metric.name.endswith(("_total", "_ms", "_milliseconds")), metric.name
        assert served_name(metric).endswith("_total") == (metric.kind == "counter")
