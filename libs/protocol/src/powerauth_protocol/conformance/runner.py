"""Runs vector files and counts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from powerauth_protocol.common.errors import ProtocolError
from powerauth_protocol.conformance.topics import KNOWN_DEVIATIONS, TOPICS
from powerauth_protocol.conformance.values import Check, Input, Output


@dataclass(frozen=True, slots=True)
class FileResult:
    """Outcome of one vector file.

    :ivar file: file name
    :ivar passed: vectors whose outputs are all as expected
    :ivar failed: vectors whose outputs are not; 1 if the file cannot be read
    :ivar not_run: vectors of a topic that this library has no check for
    :ivar known_deviations: ``id: reason`` of vectors where this library is stricter on purpose; they count
        neither as passed nor as failed
    :ivar failures: ``id: what differs`` for every failed vector
    """

    file: str
    passed: int = 0
    failed: int = 0
    not_run: int = 0
    known_deviations: tuple[str, ...] = ()
    failures: tuple[str, ...] = ()


class UnreadableVectors(Exception):
    """The file is not a vector file."""


def run_directory(directory: Path) -> list[FileResult]:
    """Run every ``*.json`` file of a directory, in order of names.

    :raises NotADirectoryError: there is no such directory
    """
    if not directory.is_dir():
        raise NotADirectoryError(str(directory))
    return [run_file(path) for path in sorted(directory.glob("*.json"))]


def run_file(path: Path) -> FileResult:
    """Run one file; whatever is wrong with it ends up in the result."""
    try:
        vectors = load_vectors(path)
    except UnreadableVectors as error:
        return FileResult(path.name, failed=1, failures=(str(error),))
    check = TOPICS.get(path.stem)
    if check is None:
        return FileResult(path.name, not_run=len(vectors))
    passed = 0
    deviations: list[str] = []
    failures: list[str] = []
    for vector in vectors:
        difference, deviation = judge(path.stem, check, vector["input"], vector["output"])
        if deviation is not None:
            deviations.append(f"{vector['id']}: {deviation}")
        elif difference is not None:
            failures.append(f"{vector['id']}: {difference}")
        else:
            passed += 1
    return FileResult(
        path.name,
        passed=passed,
        failed=len(failures),
        known_deviations=tuple(deviations),
        failures=tuple(failures),
    )


def load_vectors(path: Path) -> list[dict[str, Any]]:
    """Read the vectors of a file.

    :raises UnreadableVectors: the file cannot be read, or has another form
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UnreadableVectors(f"cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise UnreadableVectors("not a JSON file") from None
    vectors = content.get("vectors") if isinstance(content, dict) else None
    if not isinstance(vectors, list) or not all(_is_vector(vector) for vector in vectors):
        raise UnreadableVectors("not a vector file")
    return vectors


def judge(topic: str, check: Check, values: Input, expected: Output) -> tuple[str | None, str | None]:
    """Run one vector.

    :return: what differs, or None; and the reason if the difference is a known deviation, else None
    """
    try:
        computed = _computed(check, values)
        difference = _difference(expected, computed)
        if difference is None or topic not in KNOWN_DEVIATIONS:
            return difference, None
        return difference, KNOWN_DEVIATIONS[topic](values, expected, computed)
    except Exception as error:
        # A check that stumbles is a defect of the library or of the file: a failure, not a traceback.
        return f"{type(error).__name__}: {error}", None


def _computed(check: Check, values: Input) -> Output:
    try:
        return check(values)
    except ProtocolError:
        return {"error": True}


def _is_vector(vector: object) -> bool:
    return (
        isinstance(vector, dict)
        and isinstance(vector.get("id"), str)
        and isinstance(vector.get("input"), dict)
        and isinstance(vector.get("output"), dict)
        and bool(vector["output"])
    )


def _difference(expected: Mapping[str, Any], computed: Mapping[str, Any]) -> str | None:
    """Name the first expected output that is not as computed; outputs not expected are not compared."""
    for name, value in expected.items():
        if name not in computed:
            return f"{name} is missing"
        found = computed[name]
        if isinstance(value, dict) and isinstance(found, dict):
            inner = _difference(value, found)
            if inner is not None:
                return f"{name}.{inner}"
        elif type(value) is not type(found) or value != found:
            return f"{name} differs"
    return None
