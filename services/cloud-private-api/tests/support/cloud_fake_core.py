"""A small core for tests: keeps simple state, honours ``applicationIds`` (D21), records every call.

Any path can be scripted instead: ``core.refuse("activation/commit", "ERR0031")``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cloud_fake_admin import ApplicationCalls
from cloud_fake_calls import ActivationCalls, OperationCalls
from cloud_fake_metadata import MetadataCalls
from cloud_fake_passkeys import PasskeyCalls
from cloud_fake_state import BAD_CODE, GOOD_CODE, GOOD_OFFLINE_CODE, Members, Refused, b64, iso
from starlette.types import Receive, Scope, Send

__all__ = ["BAD_CODE", "GOOD_CODE", "GOOD_OFFLINE_CODE", "ROOT", "SECRET", "USER", "FakeCore", "b64", "iso"]

ROOT = "/powerauth-java-server"
USER, SECRET = "cloud", "core-secret"


@dataclass(frozen=True)
class Call:
    """One recorded call."""

    path: str
    request: Members
    headers: dict[str, str]


@dataclass
class FakeCore(ActivationCalls, OperationCalls, ApplicationCalls, PasskeyCalls, MetadataCalls):
    """See the module."""

    calls: list[Call] = field(default_factory=list)
    down: bool = False
    _scripts: dict[str, Callable[[Members], Any]] = field(default_factory=dict)
    _raw: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    # Scripting and looking back.

    def refuse(self, path: str, code: str) -> None:
        """Answer every call of a path with an error code."""

        def script(_request: Members) -> Any:
            raise Refused(code)

        self._scripts[path] = script

    def script(self, path: str, answer: Any) -> None:
        """Answer every call of a path with this response object, or what a function of the request gives."""
        self._scripts[path] = answer if callable(answer) else lambda _request: answer

    def raw(self, path: str, status: int, body: bytes) -> None:
        """Answer every call of a path with these bytes."""
        self._raw[path] = (status, body)

    def paths(self) -> list[str]:
        """The paths that were called, in order."""
        return [call.path for call in self.calls]

    def last(self, path: str) -> Members:
        """The request of the last call of a path."""
        return next(call.request for call in reversed(self.calls) if call.path == path)

    # Serving.

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        path = scope["path"].removeprefix(f"{ROOT}/").removeprefix("rest/v3/")
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        request = json.loads(message["body"])["requestObject"]
        self.calls.append(Call(path, request, headers))
        status, body = self.answer(path, request, headers)
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    def answer(self, path: str, request: Members, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body of the answer to one call."""
        if self.down:
            return 503, b"{}"
        if headers.get("authorization") != "Basic " + b64(f"{USER}:{SECRET}".encode()):
            return 401, _error("ERR_AUTHENTICATION")
        if path in self._raw:
            return self._raw[path]
        handle = self._scripts.get(path) or getattr(self, "_" + path.replace("/", "_").replace("-", "_"))
        assert request.get("applicationIds") != [], "an empty scope must never be sent"
        try:
            return 200, json.dumps({"status": "OK", "responseObject": handle(request)}).encode()
        except Refused as refusal:
            return refusal.status, _error(refusal.code, **refusal.extra)

    def _status(self, _request: Members) -> Members:
        return {"status": "OK"}


def _error(code: str, **extra: Any) -> bytes:
    error = {"code": code, "message": "core text", **extra}
    return json.dumps({"status": "ERROR", "responseObject": error}).encode()
