"""The list of all metrics: ``python -m powerauth_cli.metrics_reference > docs/metrics.md``."""

from __future__ import annotations

import sys

import powerauth_cli.all_in_one  # noqa: F401 - knows every service, and with it every metric
import servicekit.trace_export  # noqa: F401 - imported where there are traces
from servicekit.metrics import Declared, Named, declared

_HEAD = """# Metrics

Generated from the code by `python -m powerauth_cli.metrics_reference`; a test fails where it is not current.
Served in the text form of Prometheus with `…_METRICS_ENABLED=true` ([operations.md](operations.md#watching)).
A counter is shown as it is served, with `_total`; a histogram is served as `…_bucket`, `…_sum` and `…_count`.
Beside these there are those of the client library about the process, `process_*` and `python_*`.

Every label is bounded: its values are listed, or made by whom the column says. None holds an id, a name or
anything that a caller chose.

| metric | type | labels | unit | meaning |
|---|---|---|---|---|
"""


def reference() -> str:
    """The document."""
    return _HEAD + "".join(_row(declared[name]) for name in sorted(declared))


def served_name(metric: Declared) -> str:
    """Under which a metric is found at Prometheus, a histogram without its endings."""
    return f"{metric.name}_total" if metric.kind == "counter" else metric.name


def _row(metric: Declared) -> str:
    labels = "; ".join(f"`{name}`: {_values(values)}" for name, values in metric.labels.items())
    cells = (f"`{served_name(metric)}`", metric.kind, labels or "none", metric.unit, metric.description)
    return f"| {' | '.join(cells)} |\n"


def _values(values: object) -> str:
    if isinstance(values, Named):
        return values.meaning
    assert isinstance(values, list | tuple)
    return ", ".join(f"`{value}`" for value in values)


if __name__ == "__main__":
    sys.stdout.write(reference())
