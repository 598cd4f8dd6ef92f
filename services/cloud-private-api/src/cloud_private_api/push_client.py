"""The push service's door, by the table of its calls (spec/cloud-api.md §9, §18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, TypeVar

from pydantic import ValidationError

from cloud_private_api.errors import PushAway, PushForbidden, PushUnreachable, Violation
from powerauth_contracts.calls import Content
from powerauth_contracts.push.calls import IDEMPOTENCY_HEADER, PushCall
from powerauth_contracts.texts import response_object
from powerauth_contracts.wire import JsonReader, ObjectResponse, json_bytes
from servicekit.calls.client import RawAnswer, ServiceClient
from servicekit.errors import RemoteUnavailable
from servicekit.logs import get_logger

Answer = TypeVar("Answer", bound=Content)
Asked = Mapping[str, object] | Sequence[str]

_REFUSALS = frozenset({400, 409})
_TOO_LARGE = 413
_FORBIDDEN = frozenset({401, 403})
_AWAY = frozenset({502, 503, 504})
"""Push is not ready, or a proxy before it does not find it."""

_log = get_logger(__name__)


class PushRefused(Exception):
    """The push service refused what it was asked, and would refuse it again."""

    def __init__(self, code: str, path: str, violations: Sequence[Violation] = ()) -> None:
        super().__init__(code)
        self.code = code
        self.path = path
        self.violations = violations


class PushClient:
    """Makes the calls of the contract's table.

    Requests are written by the wire's names, not judged here: what push refuses it words itself.
    """

    def __init__(self, http: ServiceClient | None) -> None:
        """
        :param http: points at the push service's context path, with our credentials; None: there is none
        """
        self._http = http

    @property
    def configured(self) -> bool:
        """Whether there is a push service."""
        return self._http is not None

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()

    async def ask(
        self,
        call: PushCall[Any, Answer],
        asked: Asked | None = None,
        *,
        number: int | None = None,
        key: str | None = None,
    ) -> Answer:
        """Make a call and read what it answers.

        :param asked: the request; members that are None are left out
        :param number: of the campaign in the path
        :param key: what was sent under it before is not sent again
        :raises PushRefused: push refused
        :raises PushAway: push could not be reached, did not answer in time, or would refuse anything
        :raises PushUnreachable: anything else
        """
        raw = await self._send(call, asked, number, key)
        try:
            answer: Answer = _reader(call)(raw.body).response_object
        except ValidationError as error:
            _log.error("push answer unreadable", path=call.path, problems=error.error_count())
            raise PushUnreachable from None
        return answer

    async def tell(
        self,
        call: PushCall[Any, Any],
        asked: Asked | None = None,
        *,
        number: int | None = None,
        key: str | None = None,
    ) -> None:
        """The same for a call whose answer is not read."""
        await self._send(call, asked, number, key)

    async def _send(
        self, call: PushCall[Any, Any], asked: Asked | None, number: int | None, key: str | None
    ) -> RawAnswer:
        if self._http is None:
            raise PushUnreachable
        headers = {} if key is None else {IDEMPOTENCY_HEADER: key}
        path = call.path if number is None else call.path.replace("{id}", str(number))
        content = _content(asked)
        try:
            if call.reads == "query":
                assert isinstance(content, Mapping)
                params = {name: _text(value) for name, value in content.items()}
                raw = await self._http.request(call.methods[0], path, headers=headers, params=params)
            else:
                body = json_bytes({"requestObject": content} if call.reads == "envelope" else content)
                headers["Content-Type"] = "application/json"
                raw = await self._http.request(call.methods[0], path, body, headers)
        except RemoteUnavailable as error:
            _log.warning("push not reached", path=call.path, reason=str(error))
            raise PushAway from None
        if raw.status == 200:
            return raw
        raise _failure(call.path, raw)


def _content(asked: Asked | None) -> Asked:
    if isinstance(asked, Mapping):
        return {name: value for name, value in asked.items() if value is not None}
    return asked or {}


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _failure(path: str, raw: RawAnswer) -> PushRefused | PushUnreachable:
    """What an answer means that is no success."""
    if raw.status in _REFUSALS and (refusal := _refusal(path, raw)) is not None:
        return refusal
    if raw.status in _FORBIDDEN:
        _log.error("push refuses our credentials", path=path, status_code=raw.status)
        return PushForbidden()
    _log.error("push answered unexpectedly", path=path, status_code=raw.status)
    if raw.status == _TOO_LARGE:  # whoever says so, asking again helps nobody
        return PushRefused(f"HTTP_{_TOO_LARGE}", path)
    return PushAway() if raw.status in _AWAY else PushUnreachable()


def _refusal(path: str, raw: RawAnswer) -> PushRefused | None:
    """The refusal in an answer, if push wrote it and nobody on the way."""
    details = response_object(raw.body) or {}
    if not isinstance(code := details.get("code"), str):
        return None
    _log.info("push refused", path=path, error_code=code)
    return PushRefused(code, path, tuple(_violations(details.get("violations"))))


def _violations(found: object) -> list[Violation]:
    items = found if isinstance(found, list) else []
    return [
        Violation(str(item["fieldName"]).removeprefix("requestObject."), str(item["hint"]))
        for item in items
        if isinstance(item, dict) and {"fieldName", "hint"} <= item.keys()
    ]


@cache
def _reader(call: PushCall[Any, Any]) -> JsonReader[Any]:
    return JsonReader(ObjectResponse[call.answer])  # type: ignore[name-defined]
