"""What an answer to bad input may be: the family's envelope, a code of the spec, nothing from inside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asgi_client import Answer

_INSIDE = re.compile(
    r"Traceback|File \\?\"|site-packages|\.py\b|line \d+, in |0x[0-9a-f]{8,}|[a-z]Error\b|Exception"
    r"|sqlalchemy|sqlite|asyncpg|psycopg|pydantic|starlette|fastapi|uvicorn|hypothesis|cryptography\.(?:hazmat|exceptions)"
    r"|powerauth_core|powerauth_protocol|powerauth_push|servicekit|cloud_private_api"
    r"|SELECT |INSERT INTO|UPDATE |errors\."
)
_EDGE_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


@dataclass(frozen=True, slots=True)
class Family:
    """The errors that a service may answer with.

    :ivar codes: by HTTP status, from the service's specification
    :ivar messages: the exact messages of a code, where the specification fixes them
    :ivar members: of ``responseObject`` beside code and message
    """

    codes: Mapping[int, frozenset[str]]
    messages: Mapping[str, frozenset[str]] = field(default_factory=dict)
    members: frozenset[str] = frozenset()
    challenge: bool = False
    """Whether a 401 carries ``WWW-Authenticate``."""

    def problems(self, answer: Answer, method: str = "POST") -> list[str]:
        """Everything wrong with an answer to a method, in words; empty when it is as specified."""
        found = [
            f"header {name}: {answer.headers.get(name)!r}"
            for name, value in _EDGE_HEADERS.items()
            if answer.headers.get(name) != value
        ]
        asks_for_methods = method == "OPTIONS" and answer.status == 200
        if asks_for_methods and "OPTIONS" not in answer.headers.get("allow", ""):
            found.append("methods without Allow")
        if asks_for_methods or method == "HEAD":
            return found + [f"a body: {answer.body[:200]!r}"] * bool(answer.body)
        if answer.headers.get("content-type", "").partition(";")[0] != "application/json":
            found.append(f"content type {answer.headers.get('content-type')!r}")
        try:
            content = answer.json()
        except ValueError:
            return [*found, f"HTTP {answer.status} with a body that is not JSON: {answer.body[:200]!r}"]
        if answer.status == 200:
            return found
        return found + self._error_problems(answer, content)

    def _error_problems(self, answer: Answer, content: object) -> list[str]:
        found: list[str] = []
        if answer.status not in self.codes:
            found.append(f"HTTP {answer.status} is no answer to bad input: {answer.body[:300]!r}")
        if not isinstance(content, dict) or set(content) != {"status", "responseObject"}:
            return [*found, f"not the error envelope: {answer.body[:300]!r}"]
        error = content["responseObject"]
        if content["status"] != "ERROR" or not isinstance(error, dict):
            return [*found, f"not the error envelope: {answer.body[:300]!r}"]
        code: Any = error.get("code")
        message = error.get("message")
        if code not in self.codes.get(answer.status, ()):
            found.append(f"HTTP {answer.status} with code {code!r}")
        if not isinstance(message, str) or not message:
            found.append(f"message {message!r}")
        elif code in self.messages and not any(re.fullmatch(each, message) for each in self.messages[code]):
            found.append(f"{code} with message {message!r}")
        unknown = set(error) - {"code", "message"} - self.members
        if unknown:
            found.append(f"members {sorted(unknown)}")
        inside = _INSIDE.search(answer.body.decode())
        if inside:
            found.append(f"tells about the inside: {inside.group()!r} in {answer.body[:300]!r}")
        if answer.status == 405 and not answer.headers.get("allow"):
            found.append("405 without Allow")
        if answer.status == 401 and self.challenge and not answer.headers.get("www-authenticate"):
            found.append("401 without WWW-Authenticate")
        return found


def report(failures: Sequence[tuple[object, Answer | None, Sequence[str]]]) -> str:
    """The failures of a test, each with what was sent."""
    parts = [f"{len(failures)} bad answers"]
    for request, answer, problems in failures[:20]:
        shown = "no answer" if answer is None else f"HTTP {answer.status} {answer.body[:500]!r}"
        parts.append("\n".join(["-" * 60, str(request), "=> " + shown, *(f"!! {item}" for item in problems)]))
    return "\n".join(parts)
