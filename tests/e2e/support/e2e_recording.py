"""Everything that an enrollment host sees, recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2
from dmz_attacker import Envelope, Loot
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.v3.ecies import SharedInfo1
from powerauth_protocol.v3.versions import ProtocolVersion
from powerauth_sdk.transport import Answer, HttpTransport
from servicekit.bundles import CONTENT_TYPE, AnswerReader, read_calls
from servicekit.testing import PATIENCE_SECONDS

_PERSONAL = {
    "/pa/v3/user/info": SharedInfo1.ACTIVATION_GENERIC,
    "/pa/v3/activation/detail": SharedInfo1.ACTIVATION_GENERIC,
    "/pa/v3/activation/rename": SharedInfo1.ACTIVATION_GENERIC,
    "/api/activation/code": SharedInfo1.ACTIVATION_GENERIC,
    "/pa/v3/token/create": SharedInfo1.CREATE_TOKEN,
    "/pa/v3/vault/unlock": SharedInfo1.VAULT_UNLOCK,
    "/pa/v3/recovery/confirm": SharedInfo1.CONFIRM_RECOVERY_CODE,
}


@dataclass
class Recording:
    """All JSON that enrollment received or sent, by path: requests and answers of the core, and of phones;
    of phones with their headers.
    """

    to_core: list[tuple[str, Any]] = field(default_factory=list)
    from_core: list[tuple[str, Any]] = field(default_factory=list)
    from_phones: list[tuple[str, Any]] = field(default_factory=list)
    to_phones: list[tuple[str, Any]] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    @property
    def everything(self) -> list[Any]:
        """The content of all messages."""
        messages = (*self.to_core, *self.from_core, *self.from_phones, *self.to_phones)
        return [*(content for _, content in messages), *self.headers]

    def clear(self) -> None:
        """Start anew."""
        for part in (self.to_core, self.from_core, self.from_phones, self.to_phones, self.headers):
            part.clear()

    def loot(self) -> Loot:
        """All of it, for an attacker."""
        return Loot(list(self.everything))

    def key_exchanges(self, version: ProtocolVersion) -> list[Envelope]:
        """Outer layers of key exchanges, which hold the inner ones, both directions."""
        asked = [content for path, content in self.from_phones if _creates(path)]
        answered = [content for path, content in self.to_phones if _creates(path)]
        return list(_exchanges(asked, answered, SharedInfo1.APPLICATION_GENERIC, version))

    def personal_envelopes(self, version: ProtocolVersion) -> list[Envelope]:
        """What phones with an activation sent and got, both directions."""
        found: list[Envelope] = []
        for path, purpose in _PERSONAL.items():
            asked = [content for called, content in self.from_phones if called == path]
            answered = [content for called, content in self.to_phones if called == path]
            found += _exchanges(asked, answered, purpose, version)
        return found


def _creates(path: str) -> bool:
    return path.endswith("/activation/create")


def _exchanges(
    asked: list[Any], answered: list[Any], purpose: SharedInfo1, version: ProtocolVersion
) -> Iterator[Envelope]:
    points = [b64decode(members["ephemeralPublicKey"]) for members in asked]
    for members, point in (*zip(asked, points, strict=True), *zip(answered, points, strict=False)):
        yield Envelope(b64decode(members["encryptedData"]), point, purpose, version)


class RecordingProxy:
    """Stands between enrollment and the core."""

    def __init__(self, core_url: str, recording: Recording) -> None:
        self._core = httpx2.AsyncClient(base_url=core_url, timeout=PATIENCE_SECONDS)
        self._recording = recording

    @property
    def app(self) -> Starlette:
        """The proxy over HTTP."""
        return Starlette(routes=[Route("/{path:path}", self._forward, methods=["POST"])])

    async def close(self) -> None:
        """Close the connections to the core."""
        await self._core.aclose()

    async def _forward(self, request: Request) -> Response:
        body, path = await request.body(), request.url.path
        headers = {name: request.headers[name] for name in ("authorization", "content-type")}
        answer = await self._core.post(path.lstrip("/"), content=body, headers=headers)
        if headers["content-type"] == CONTENT_TYPE:
            self._record_bundle(body, answer.content)
        else:
            self._record(path, body, answer.content)
        return Response(answer.content, answer.status_code, media_type=answer.headers["content-type"])

    def _record_bundle(self, body: bytes, content: bytes) -> None:
        answers = {answer.number: answer.body for answer in AnswerReader().feed(content)}
        for call in read_calls(body):
            self._record(call.path, call.body, answers[call.number])

    def _record(self, path: str, body: bytes, answer: bytes) -> None:
        self._recording.to_core.append((path, json.loads(body)))
        self._recording.from_core.append((path, json.loads(answer)))


class RecordingTransport(HttpTransport):
    """A phone's transport: what it sends is what enrollment receives."""

    def __init__(self, base_url: str, recording: Recording) -> None:
        super().__init__(base_url)
        self._recording = recording

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Send, and remember both directions."""
        self._recording.from_phones.append((path, json.loads(body)))
        self._recording.headers.append(dict(headers))
        answer = await super().send(method, path, headers, body)
        self._recording.to_phones.append((path, json.loads(answer.body)))
        return answer
