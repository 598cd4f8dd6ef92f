"""Sends one case of the corpus and says what is not as declared."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping
from typing import Any

import families
from asgi_client import Answer, Request
from case_files import Case, Outcome
from corpus_cast import Cast
from database_digest import DatabaseWatch, unexpected
from judge import Family
from request_builder import Builder
from running_stack import CLOUD, CORE, ENROLLMENT

CONTEXT_PATHS = {"enrollment": ENROLLMENT, "core": CORE, "cloud": CLOUD}
FAMILIES: Mapping[str, Family] = {
    "enrollment": families.ENROLLMENT,
    "core": families.CORE,
    "cloud": families.CLOUD,
}
_SHORTEST_SECRET = 12
_SECRET_HEADERS = (
    b"authorization",
    b"x-powerauth-authorization",
    b"x-powerauth-token",
    b"x-powerauth-encryption",
)


class CorpusRun:
    """The running stack, seen by one service's corpus.

    :param log: what all services write
    """

    def __init__(self, cast: Cast, service: str, log: io.StringIO) -> None:
        self._cast = cast
        self._service = service
        self._builder = Builder(cast)
        self._log = log
        folder = cast.stack.folder
        self._watch = DatabaseWatch(folder / "core.sqlite3", folder / "cloud.sqlite3")

    def close(self) -> None:
        """Let go of the databases."""
        self._watch.close()

    async def problems(self, case: Case) -> tuple[Request, Answer, list[str]]:
        """Send a case: request, answer, and everything that is not as declared."""
        request = await self._builder.build(case.request)
        if case.request.get("sendBefore"):
            await self._send(request)
        self._watch.begin()
        self._log.seek(0)
        self._log.truncate()
        answer = await self._send(request)
        changed = self._watch.changes()
        found = FAMILIES[self._service].problems(answer)
        found += _outcome_problems(case.outcome, answer)
        found += unexpected(changed, case.outcome.changes)
        found += [f"in the log: {secret[:40]}" for secret in self._leaked(request)]
        if answer.status == 409 or answer.status >= 500:
            found.append(self._log.getvalue()[-2000:])
        return request, answer, found

    async def _send(self, request: Request) -> Answer:
        return await self._cast.stack.send(CONTEXT_PATHS[self._service], request)

    def _leaked(self, request: Request) -> list[str]:
        written = self._log.getvalue()
        secrets = self._cast.secrets | set(_secrets_of(request))
        return [secret for secret in secrets if len(secret) >= _SHORTEST_SECRET and secret in written]


def _outcome_problems(expected: Outcome, answer: Answer) -> list[str]:
    found = []
    if answer.status != expected.status:
        found.append(f"HTTP {answer.status}, expected {expected.status}")
    try:
        content = answer.json()
    except ValueError:
        return found
    error = content.get("responseObject") if isinstance(content, dict) else None
    code = error.get("code") if answer.status != 200 and isinstance(error, dict) else None
    if code != expected.code:
        found.append(f"code {code}, expected {expected.code}")
    return found


def _secrets_of(request: Request) -> Iterator[str]:
    """What a request proves its sender with, and what it carries."""
    for name, value in request.headers:
        if name in _SECRET_HEADERS:
            text = value.decode("latin-1")
            yield text
            yield from (part.strip('",') for part in text.replace("=", " ").split() if len(part) > 20)
    try:
        content = json.loads(request.body)
    except (ValueError, RecursionError):
        return
    yield from _texts(content)


_PUBLIC_MEMBERS = frozenset(
    {"activationId", "applicationId", "applicationKey", "registrationId", "operationId", "id", "userId"}
)


def _texts(content: Any, name: str = "") -> Iterator[str]:
    """Every long text of a body that is not an identifier."""
    if isinstance(content, str):
        if name not in _PUBLIC_MEMBERS:
            yield content
    elif isinstance(content, dict):
        for key, member in content.items():
            yield from _texts(member, key)
    elif isinstance(content, list):
        for member in content:
            yield from _texts(member, name)
