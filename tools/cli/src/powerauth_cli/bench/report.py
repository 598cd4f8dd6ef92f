"""How a measurement is shown."""

from __future__ import annotations

import json
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from powerauth_cli.bench.load import LoadResult


def facts(result: LoadResult) -> dict[str, object]:
    """The figures of a load: counts, requests a second, latencies and CPU time a request in milliseconds."""
    figures: dict[str, object] = {
        "requests": result.requests,
        "failures": result.failures,
        "seconds": round(result.seconds, 3),
        "requests_per_second": round(result.per_second, 1),
        "latency_ms_p50": round(result.percentile(0.50), 3),
        "latency_ms_p95": round(result.percentile(0.95), 3),
        "latency_ms_p99": round(result.percentile(0.99), 3),
    }
    if result.cpu:
        figures["cpu_ms"] = {name: round(result.cpu_ms(name), 3) for name in result.cpu}
    return figures


def show(
    console: Console, rows: Mapping[str, LoadResult], extra: Mapping[str, object], *, as_json: bool
) -> None:
    """Print one table, or one JSON object.

    :param rows: loads by name
    :param extra: further figures, e.g. ratios
    """
    if as_json:
        first = next(iter(rows.values()))
        content = {**facts(first), **extra}
        if len(rows) > 1:
            content["loads"] = {name: facts(result) for name, result in rows.items()}
        print(json.dumps(content))
        return
    table = Table(*("load", "requests", "failures", "per second", "p50 ms", "p95 ms", "p99 ms", "CPU ms"))
    for name, result in rows.items():
        figures = facts(result)
        table.add_row(
            name,
            str(figures["requests"]),
            str(figures["failures"]),
            f"{figures['requests_per_second']:.0f}",
            *(f"{figures[f'latency_ms_p{share}']:.1f}" for share in (50, 95, 99)),
            ", ".join(f"{service} {result.cpu_ms(service):.3f}" for service in result.cpu),
        )
    console.print(table)
    for name, value in extra.items():
        console.print(f"{name.replace('_', ' ')}: {value}")
