#!/usr/bin/env python3
"""Writes the README of the Helm chart: its introduction, and all values with their comments."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[1] / "deploy" / "helm" / "powerauth"
MARK = "<!-- The rest is made by scripts/chart_readme.py from values.yaml. -->\n"
_LONGEST_DEFAULT = 60


def readme(chart: Path = CHART) -> str:
    """The README as it should be: what stands above the mark stays."""
    introduction = (chart / "README.md").read_text().partition(MARK)[0]
    lines = (chart / "values.yaml").read_text().splitlines()
    root = yaml.compose("\n".join(lines))
    return introduction + MARK + "\n## Values\n" + "".join(_section(root, lines))


def _section(root: Any, lines: list[str]) -> Iterator[str]:
    """A table for each group of values; the single ones at the top first."""
    yield _HEAD
    groups = []
    for key, node in root.value:
        if _is_group(node, lines):
            groups.append((key, node))
        else:
            yield _row(key.value, node, _comment(key, lines))
    for key, node in groups:
        yield f"\n### {key.value}\n\n{_comment(key, lines)}\n{_HEAD}"
        yield from _rows(key.value, node, lines)


_HEAD = "\n| value | default | meaning |\n|---|---|---|\n"


def _rows(path: str, node: Any, lines: list[str]) -> Iterator[str]:
    for key, value in node.value:
        name = f"{path}.{key.value}"
        if _is_group(value, lines):
            yield f"| `{name}` | | {_comment(key, lines)} |\n"
            yield from _rows(name, value, lines)
        else:
            yield _row(name, value, _comment(key, lines))


def _is_group(node: Any, lines: list[str]) -> bool:
    """A mapping whose members are explained one by one."""
    return isinstance(node, yaml.MappingNode) and any(
        _comment(key, lines, must=False) for key, _ in node.value
    )


def _row(name: str, node: Any, comment: str) -> str:
    default = json.dumps(yaml.SafeLoader("").construct_document(node), ensure_ascii=False)
    shown = f"`{default}`" if len(default) <= _LONGEST_DEFAULT else "see `values.yaml`"
    return f"| `{name}` | {shown} | {comment.replace('|', chr(92) + '|')} |\n"


def _comment(key: Any, lines: list[str], *, must: bool = True) -> str:
    """What stands directly above a key.

    :raises ValueError: nothing does, and it must
    """
    found: list[str] = []
    number = key.start_mark.line - 1
    while number >= 0 and lines[number].lstrip().startswith("# "):
        found.insert(0, lines[number].strip().removeprefix("# "))
        number -= 1
    if must and not found:
        raise ValueError(f"{key.value} in line {key.start_mark.line + 1} of values.yaml is not explained")
    return " ".join(found)


if __name__ == "__main__":
    (CHART / "README.md").write_text(readme())
    sys.stdout.write("README.md is current\n")
