"""JSON as this service reads and writes it (spec/enrollment-api.md §1.3).

Bodies are read once, as at every door (D26). Answers are built as plain dictionaries: most of what passes
through is not interpreted here.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from starlette.responses import Response

from powerauth_contracts.moments import LATEST_MS
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.json_text import JsonError, read_json_object
from servicekit.answers import JsonResponse

JsonObject = dict[str, object]

_OK = b'{"status":"OK"}'

EnvelopeMembers = dict[str, Any]
"""The members of an encrypted answer exactly as the core wrote them; never opened here."""


def request_object(body: bytes) -> JsonObject | None:
    """Return the `requestObject` of a plain request; None when the body has none or is not JSON at all."""
    try:
        inner = read_json_object(body).get("requestObject")
    except JsonError:
        return None
    return inner if isinstance(inner, dict) else None


def text_member(members: Mapping[str, object] | None, name: str) -> str | None:
    """Return a text member that is present and not empty, else None."""
    value = members.get(name) if members is not None else None
    return value if isinstance(value, str) and value else None


def json_response(content: bytes | str) -> Response:
    """Answer 200 with finished JSON."""
    return JsonResponse(content if isinstance(content, bytes) else content.encode())


def ok_response(response_object: object = None, **siblings: object) -> Response:
    """Answer `{"status":"OK", "responseObject":…}`; without an object the member is omitted."""
    if response_object is None and not siblings:
        return JsonResponse(_OK)
    return json_response(json_bytes(ok_object(response_object, **siblings)))


def ok_object(response_object: object = None, **siblings: object) -> JsonObject:
    """Return the content of `ok_response`; an empty list is written, since clients require it (§10.11)."""
    answer: JsonObject = {"status": "OK"}
    if response_object is not None:
        answer["responseObject"] = response_object
    return answer | siblings


def wire_date(moment_ms: int) -> str:
    """Return a moment (ms since the epoch) as plain answers carry dates: seconds, offset without colon.

    :raises ValueError: for a moment before the epoch or after the year 9999.
    """
    if not 0 <= moment_ms <= LATEST_MS:
        raise ValueError("no such date")
    return _date(moment_ms // 1000)


@lru_cache(maxsize=4096)
def _date(seconds: int) -> str:
    # A phone that waits for an answer shows the same moments again and again.
    return f"{datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()}+0000"
