"""How a device reaches the server."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx2

from powerauth_sdk.errors import ServerRefused, ServerUnreachable, UnexpectedAnswer

JSON_HEADERS = {"Accept": "application/json", "Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP response."""

    status: int
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object.

        :raises UnexpectedAnswer: the body is none
        """
        try:
            value = json.loads(self.body)
        except ValueError:
            raise UnexpectedAnswer(f"HTTP {self.status} with a body that is not JSON") from None
        if not isinstance(value, dict):
            raise UnexpectedAnswer(f"HTTP {self.status} with a body that is not a JSON object")
        return value


class Transport(Protocol):
    """Sends one request; the path is relative to the enrollment service's base address."""

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Return the answer, whatever its status.

        :raises ServerUnreachable: when there is none
        """
        ...


class HttpTransport:
    """Transport over HTTP.

    :param base_url: address with context path
    :param client: an own client (proxy, in-process application, time limits); it is not closed here
    """

    def __init__(self, base_url: str, client: httpx2.AsyncClient | None = None) -> None:
        self._base_url = base_url.rstrip("/")
        self._owned = client is None
        self._client = client or httpx2.AsyncClient(timeout=30.0)

    async def send(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        try:
            response = await self._client.request(
                method, self._base_url + path, headers=dict(headers), content=body
            )
        except httpx2.TransportError as error:
            raise ServerUnreachable(f"{type(error).__name__} at {self._base_url}{path}") from error
        return Answer(response.status_code, response.content)

    async def close(self) -> None:
        """Close the connections, if they are this object's own."""
        if self._owned:
            await self._client.aclose()


def require_success(answer: Answer) -> dict[str, Any]:
    """Return the JSON of a successful answer.

    :raises ServerRefused: the answer is an error
    :raises UnexpectedAnswer: the answer is not JSON
    """
    content = answer.json()
    if answer.status == 200 and content.get("status") != "ERROR":  # encrypted answers carry no status
        return content
    error = content.get("responseObject")
    fields = dict(error) if isinstance(error, dict) else {}
    raise ServerRefused(
        answer.status, str(fields.pop("code", "")), str(fields.pop("message", "")), extra=fields
    )


def response_object(answer: Answer) -> Any:
    """Return the `responseObject` of a successful answer.

    :raises ServerRefused: the answer is an error
    :raises UnexpectedAnswer: there is no response object
    """
    content = require_success(answer)
    if "responseObject" not in content:
        raise UnexpectedAnswer("the answer has no responseObject")
    return content["responseObject"]


def request_object(**fields: object) -> bytes:
    """Write a plain request body; None values are left out."""
    present = {name: value for name, value in fields.items() if value is not None}
    return json.dumps({"requestObject": present}, separators=(",", ":"), ensure_ascii=False).encode()
