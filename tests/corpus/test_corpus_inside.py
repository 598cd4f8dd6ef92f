"""Broken requests to every call of the core, at both doors, and of the cloud API: the common classes.

Whatever a call does with its members, a body that is no request, members of wrong types and requests without
credentials are refused with an error of the documents and change nothing.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import families
import pytest
from asgi_client import Answer, Request, header_list
from broken import body_of, shared_cases
from corpus_cast import Cast
from database_digest import DatabaseWatch, unexpected
from judge import Family, report
from running_stack import CLOUD, CORE, JSON_HEADERS


@dataclass(frozen=True)
class Target:
    """A part of an API whose calls are all tried."""

    service: str
    prefix: str
    family: Family
    user: str

    def __str__(self) -> str:
        return f"{self.service}{self.prefix}"


Record = Callable[[str, Any], None]
"""Pytest's `record_property`."""

TARGETS = (
    Target(CORE, "/rest/v3/", families.CORE, "rest"),
    Target(CORE, "/dmz/v1/", families.CORE, "dmz"),
    Target(CLOUD, "/", families.CLOUD, "admin"),
)


@dataclass(frozen=True)
class Call:
    """One documented call with a body."""

    method: str
    path: str
    members: tuple[str, ...]
    needs: bool
    wrapped: bool

    @classmethod
    def all_of(cls, document: Mapping[str, Any], prefix: str) -> Iterator[Call]:
        """The calls of an API document below a prefix; path parameters are put to something unknown."""
        for path, item in document["paths"].items():
            for method, operation in item.items():
                content = operation.get("requestBody", {}).get("content", {}).get("application/json")
                if content is None or not path.startswith(prefix):
                    continue
                schema = _resolved(document, content["schema"])
                inner = schema.get("properties", {}).get("requestObject")
                wrapped = inner is not None
                described = _resolved(document, inner) if wrapped else schema
                plain = path.replace("{", "").replace("}", "")
                members = tuple(described.get("properties", {}))
                yield cls(method.upper(), plain, members, bool(described.get("required")), wrapped)

    def body(self, value: object) -> bytes:
        """A body in which every member has the same value."""
        inner = dict.fromkeys(self.members, value)
        return json.dumps({"requestObject": inner} if self.wrapped else inner).encode()


def _resolved(document: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" in schema:
        return _resolved(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for alternative in (*schema.get("anyOf", ()), *schema.get("allOf", ())):
        if alternative.get("type") != "null":
            return _resolved(document, alternative)
    return schema


class Prober:
    """Sends requests to one target and remembers what was wrong with the answers."""

    def __init__(self, cast: Cast, target: Target) -> None:
        self._stack = cast.stack
        self._target = target
        folder = cast.stack.folder
        self._watch = DatabaseWatch(folder / "core.sqlite3", folder / "cloud.sqlite3")
        self.failures: list[tuple[object, Answer, list[str]]] = []
        self.sent = 0

    @property
    def calls(self) -> list[Call]:
        """All calls of the target."""
        document = self._stack.apps[self._target.service].openapi()
        return list(Call.all_of(document, self._target.prefix))

    async def send(
        self, name: str, call: Call, body: bytes, allowed: frozenset[int], headers: Mapping[str, str]
    ) -> None:
        """Send one request and judge its answer; what is refused changes nothing."""
        request = Request(call.method, call.path, header_list({**JSON_HEADERS, **headers}), body)
        self._watch.begin()
        answer = await self._stack.send(self._target.service, request)
        problems = self._target.family.problems(answer)
        if answer.status not in allowed:
            problems.append(f"HTTP {answer.status}")
        if answer.status != 200:
            problems += unexpected(self._watch.changes(), ["audit"] if answer.status == 401 else [])
        self.sent += 1
        if problems:
            self.failures.append((f"{name}\n{request}", answer, problems))

    @property
    def credentials(self) -> Mapping[str, str]:
        """Of a caller who may do everything here."""
        credentials: Mapping[str, str] = getattr(self._stack, self._target.user)
        return credentials

    def check(self, record: Record) -> None:
        """At the end of a test: everything was sent, nothing was wrong."""
        record("corpus cases", self.sent)
        failures, sent = self.failures, self.sent
        self.failures, self.sent = [], 0
        assert sent
        assert not failures, report(failures)

    def close(self) -> None:
        """Let go of the databases."""
        self._watch.close()


@pytest.fixture(scope="module", params=TARGETS, ids=str)
async def prober(cast: Cast, request: pytest.FixtureRequest) -> AsyncIterator[Prober]:
    prober = Prober(cast, request.param)
    yield prober
    prober.close()


REFUSED = frozenset({400, 404})
"""404 for what the path names."""
ANSWERED = REFUSED | {200}


async def test_a_body_that_is_no_request(prober: Prober, record_property: Record) -> None:
    for call in prober.calls:
        for case in shared_cases("plain-body"):
            allowed = REFUSED if call.needs else ANSWERED
            await prober.send(case["name"], call, body_of(case), allowed, prober.credentials)
    prober.check(record_property)


async def test_members_of_wrong_types_and_values(prober: Prober, record_property: Record) -> None:
    for call in prober.calls:
        for case in shared_cases("values"):
            # A strange text may be a right name, nothing may be right for an optional member.
            allowed = REFUSED if call.needs and "mayBeRight" not in case else ANSWERED
            await prober.send(case["name"], call, call.body(case["value"]), allowed, prober.credentials)
    prober.check(record_property)


async def test_no_call_is_answered_without_credentials(prober: Prober, record_property: Record) -> None:
    for number, call in enumerate(prober.calls):
        cases = shared_cases("credentials")
        # A password that is looked up costs a slow hash: every call gets the cases without, some get all.
        for case in cases if number % 20 == 0 else cases[:6]:
            value = case["authorization"]
            headers = {} if value is None else {"authorization": value}
            await prober.send(case["name"], call, b"{}", frozenset({401}), headers)
    prober.check(record_property)
