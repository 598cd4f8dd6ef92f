"""One call to the core: envelope, errors, nothing else (spec/core-api.md §1, spec/cloud-api.md §1.7)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from cloud_private_api.core_client.models import CoreModel, Envelope
from cloud_private_api.errors import UpstreamFailed
from powerauth_contracts.wire import JsonReader, json_bytes
from servicekit.http import RawAnswer, RemoteUnavailable, ServiceClient
from servicekit.logs import get_logger

T = TypeVar("T")
Members = Mapping[str, object]

_COME_AGAIN = frozenset({502, 503, 504})

_log = get_logger(__name__)


class CoreRefused(Exception):
    """The core answered with an error code. Which error of ours that is depends on the area (§1.7)."""

    def __init__(
        self, code: str, path: str, missing_parameters: Sequence[str] = (), message: str = ""
    ) -> None:
        """
        :param missing_parameters: parameters that the template of a new operation wants
        :param message: of an invalid request, ``requestObject.<member> - <sentence>`` for each member
        """
        super().__init__(code)
        self.code = code
        self.path = path
        self.message = message
        self.missing_parameters = tuple(missing_parameters)


class _CoreError(CoreModel):
    code: str
    message: str | None = None
    missing_parameters: tuple[str, ...] = ()


_envelopes: dict[object, JsonReader[Any]] = {}


def _read(answer: type[T], body: bytes) -> T:
    """The ``responseObject`` of an answer. There is one reader per type of answer, made at its first use.

    :raises ValidationError: the answer has another form
    """
    reader = _envelopes.get(answer)
    if reader is None:
        reader = _envelopes[answer] = JsonReader(Envelope[answer])  # type: ignore[valid-type]
    envelope: Envelope[T] = reader(body)
    return envelope.response_object


class CoreDoor:
    """The ``/rest/v3`` door of the core."""

    def __init__(self, http: ServiceClient) -> None:
        self._http = http

    async def ask(self, path: str, answer: type[T], members: Members) -> T:
        """Call ``POST /rest/v3/<path>`` and read its ``responseObject``.

        :param members: members of ``requestObject``; those that are None are left out
        :raises CoreRefused: the core answered 400 with a code
        :raises UpstreamFailed: any other answer that is not the expected one
        :raises RemoteUnavailable: the core could not be reached, did not answer in time or asks to come again
        """
        raw = await self._send(path, members)
        try:
            return _read(answer, raw.body)
        except ValidationError as error:
            _log.error("core answer unreadable", path=path, problems=error.error_count())
            raise UpstreamFailed from None

    async def tell(self, path: str, members: Members) -> None:
        """The same for a call whose answer is not read."""
        await self._send(path, members)

    async def _send(self, path: str, members: Members) -> RawAnswer:
        request = {name: value for name, value in members.items() if value is not None}
        raw = await self._http.post_json(f"/rest/v3/{path}", json_bytes({"requestObject": request}))
        if raw.status == 200:
            return raw
        if raw.status == 400:
            raise _refusal(raw.body, path)
        if raw.status in _COME_AGAIN:
            raise RemoteUnavailable(f"core: HTTP {raw.status}")
        _log.error("core answered unexpectedly", path=path, status_code=raw.status)
        raise UpstreamFailed


def _refusal(body: bytes, path: str) -> CoreRefused:
    try:
        error = _read(_CoreError, body)
    except ValidationError:
        return CoreRefused("unreadable", path)
    return CoreRefused(error.code, path, error.missing_parameters, error.message or "")
