"""The corpus as data: a file per group of endpoints, with valid requests and what is wrong with each case.

A case says only how it differs from the endpoint's valid request, so that nothing else can be the reason of
its refusal. Sets of cases that many endpoints share are named by the endpoints, which map each expectation of
the set (``"unauthenticated"``) to their own answer.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from broken import shared_cases

FOLDER = Path(__file__).parents[1]

REQUEST_MEMBERS = frozenset(
    {
        *("method", "path", "query", "headers", "phone", "version", "fresh", "clock", "pin"),
        *(
            "body",
            "bodyBase64",
            "bodyRepeat",
            "json",
            "change",
            "inner",
            "changeInner",
            "newCode",
            "newOperation",
        ),
        *("seal", "sealedBy", "signs", "changeSealed", "sign", "uriId", "signedMethod", "signedQuery"),
        *("authorization", "encryption", "encryptionFields", "token", "tokenFields", "tamper", "sendBefore"),
    }
)
"""How a request is described; `Builder` gives each its meaning."""

CASE_MEMBERS = REQUEST_MEMBERS | {"name", "expect"}
ENDPOINT_MEMBERS = frozenset(
    {"method", "path", "valid", "outcomes", "sets", "members", "without", "except", "cases"}
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What must come back.

    :ivar code: of the error; None for a success
    :ivar changes: names of `database_digest.ALLOWED`; empty: nothing changes
    """

    status: int
    code: str | None
    changes: tuple[str, ...] = ()

    @classmethod
    def read(cls, content: list[Any]) -> Outcome:
        """From ``[status, code, change, …]``."""
        status, code, *changes = content
        return cls(status, code, tuple(changes))


@dataclass(frozen=True, slots=True)
class Case:
    """One broken request.

    :ivar request: the valid request with this case's differences
    """

    service: str
    endpoint: str
    name: str
    request: Mapping[str, Any]
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint of a file.

    :ivar content: its valid request, its own cases, and the names of the shared sets that fit it
    """

    service: str
    content: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.content['method']} {self.content['path']}"

    def __str__(self) -> str:
        return self.name

    def valid(self) -> Case:
        """The request that nothing is wrong with."""
        request = dict(self.content["valid"])
        changes = request.pop("changes", [])
        outcome = Outcome.read([*request.pop("outcome", [200, None]), *changes])
        return Case(self.service, self.name, "as it should be", self._with_place(request), outcome)

    def cases(self) -> Iterator[Case]:
        """Its own cases, then those of its sets and of its members' kinds.

        :raises ValueError: a case left out or excepted is in none of the sets
        """
        for case in self.content.get("cases", ()):
            yield self._case(case)
        excepted = dict(self.content.get("except", {}))
        skipped = set(self.content.get("without", ()))
        found = set()
        for case in self._shared_cases():
            name = case["name"]
            found.add(name)
            if name not in skipped:
                yield self._case({**case, "expect": excepted.get(name, case["expect"])})
        unknown = (skipped | excepted.keys()) - found
        if unknown:
            raise ValueError(f"{self.name}: no such shared cases: {sorted(unknown)}")

    def _shared_cases(self) -> Iterator[Mapping[str, Any]]:
        for name in self.content.get("sets", ()):
            yield from shared_cases(name)
        for member, kinds in self.content.get("members", {}).items():
            for kind in kinds if isinstance(kinds, list) else [kinds]:
                yield from (for_member(case, member) for case in shared_cases(kind))

    def _case(self, case: Mapping[str, Any]) -> Case:
        unknown = set(case) - CASE_MEMBERS
        if unknown:
            raise ValueError(f"{self.name}: {case['name']}: unknown members {sorted(unknown)}")
        differences = {name: value for name, value in case.items() if name in REQUEST_MEMBERS}
        request, outcome = _merged(self.valid().request, differences), self._outcome(case)
        if outcome.status != 200 and "sendBefore" not in request:
            # What is refused uses no phone up.
            request = {name: value for name, value in request.items() if name != "fresh"}
        return Case(self.service, self.name, case["name"], request, outcome)

    def _outcome(self, case: Mapping[str, Any]) -> Outcome:
        expected = case["expect"]
        if isinstance(expected, str):
            outcomes = service_outcomes()[self.service] | self.content.get("outcomes", {})
            if expected not in outcomes:
                raise ValueError(f"{self.name}: {case['name']}: no outcome {expected!r}")
            expected = outcomes[expected]
        return Outcome.read(expected)

    def _with_place(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"method": self.content["method"], "path": self.content["path"], **request}


def endpoints_of(service: str) -> list[Endpoint]:
    """The endpoints of a service's files, in the order of the files' names.

    :raises ValueError: a file has members that mean nothing
    """
    found = []
    for path in sorted((FOLDER / service).glob("*.json")):
        for content in json.loads(path.read_text(encoding="utf-8"))["endpoints"]:
            unknown = set(content) - ENDPOINT_MEMBERS
            if unknown:
                raise ValueError(f"{path}: unknown members {sorted(unknown)}")
            found.append(Endpoint(service, content))
    return found


@cache
def service_outcomes() -> Mapping[str, Mapping[str, Any]]:
    """What expectations of the shared sets mean in each service, where an endpoint says nothing else."""
    outcomes: dict[str, Mapping[str, Any]] = json.loads((FOLDER / "shared" / "outcomes.json").read_text())
    return outcomes


def for_member(content: Any, member: str) -> Any:
    """A shared case about one member of a body: ``$member`` is its path."""
    if isinstance(content, str):
        return content.replace("$member", member)
    if isinstance(content, Mapping):
        return {for_member(name, member): for_member(value, member) for name, value in content.items()}
    if isinstance(content, list):
        return [for_member(item, member) for item in content]
    return content


_ADDED_TO = frozenset({"headers", "change", "changeSealed", "changeInner"})
_BODIES = frozenset({"body", "bodyBase64", "bodyRepeat", "json"})


def _merged(valid: Mapping[str, Any], differences: Mapping[str, Any]) -> Mapping[str, Any]:
    """Headers and changes are added to; a body of any form replaces the valid one; null removes a member."""
    merged = dict(valid)
    if _BODIES & differences.keys():
        merged = {name: value for name, value in merged.items() if name not in _BODIES | {"merge"}}
    for name, value in differences.items():
        before = merged.get(name)
        if name in _ADDED_TO and isinstance(before, Mapping) and isinstance(value, Mapping):
            merged[name] = {**before, **value}
        else:
            merged[name] = value
    return {name: value for name, value in merged.items() if value is not None}
