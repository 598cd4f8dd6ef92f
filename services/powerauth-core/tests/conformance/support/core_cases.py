"""The cases of ``cases/*.json``: one sound request per call, what it leads to, and what spoils it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1] / "cases"
GROUPS = (
    "applications",
    "activations",
    "recovery",
    "verification",
    "operations",
    "passkeys",
    "passkey_administration",
    "metadata",
    "signed_tokens",
)
Step = str | dict[str, Any]
"""Something that happens to the world, or the name of several such."""


def _read(name: str) -> Any:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


SHARED: dict[str, dict[str, Any]] = _read("shared")


@dataclass(frozen=True, slots=True)
class Bad:
    """A refusal.

    :ivar code: without ``ERR``
    :ivar change: members that differ from the sound request
    :ivar message: None for that of §28
    :ivar after: what happens between making and sending the request
    :ivar extra: further members of the answer
    """

    code: str
    change: dict[str, Any] = field(default_factory=dict)
    message: str | None = None
    after: list[Step] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def all_of(cls, contents: list[str | dict[str, Any]]) -> Iterator[Bad]:
        """The refusals, with those that a name stands for."""
        for content in contents:
            if isinstance(content, str):
                yield from cls.all_of(SHARED["refusals"][content])
            else:
                yield cls(**content)


@dataclass(frozen=True, slots=True)
class Case:
    """A call's sound request, its answer, effects and refusals.

    :ivar answer: what the response object includes
    :ivar then: calls afterwards: path, request and what the answer includes
    :ivar more: further sound requests: changed members and the answer
    """

    path: str
    sound: dict[str, Any] = field(default_factory=dict)
    before: list[Step] = field(default_factory=list)
    answer: Any = field(default_factory=dict)
    then: list[tuple[str, dict[str, Any], Any]] = field(default_factory=list)
    more: list[tuple[dict[str, Any], Any]] = field(default_factory=list)
    refused: list[str | dict[str, Any]] = field(default_factory=list)

    @property
    def bad(self) -> list[Bad]:
        """All its refusals."""
        return list(Bad.all_of(self.refused))


CASES = {case.path: case for group in GROUPS for case in (Case(**content) for content in _read(group))}
OUT_OF_SCOPE = {"applicationIds": ["somebody-elses"]}
ALWAYS_REFUSED = ("upgrade/start", "upgrade/commit")
"""No activation is of a version that could be upgraded (§14, D8)."""
