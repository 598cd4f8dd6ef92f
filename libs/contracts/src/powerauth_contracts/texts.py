"""The texts of a call as a client writes and reads them (spec/core-api.md §1)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import NoneType
from typing import Any

from powerauth_contracts.calls import Call
from powerauth_contracts.wire import json_bytes
from powerauth_protocol.common.json_text import JsonError, read_json


class CoreRefused(Exception):
    """The core refused with one of its codes.

    :ivar path: that was called
    :ivar details: the further members of the error object
    """

    def __init__(self, code: str, path: str, details: Mapping[str, Any]) -> None:
        super().__init__(code)
        self.code = code
        self.path = path
        self.details = details


@cache
def wire_names(call: Call[Any, Any]) -> Mapping[str, str]:
    """The wire's name of each member of a call's request, by its name in the model and by itself."""
    if call.request is NoneType:
        return {}
    aliases = {name: str(member.alias) for name, member in call.request.model_fields.items()}
    return aliases | {alias: alias for alias in aliases.values()}


def request_text(members: Mapping[str, object]) -> bytes:
    """``{"requestObject": members}``."""
    return json_bytes({"requestObject": members})


def response_object(body: bytes) -> dict[str, Any] | None:
    """What an answer says; None when that is no object or the answer cannot be read."""
    try:
        content = read_json(body)
    except JsonError:
        return None
    found = content.get("responseObject") if isinstance(content, dict) else None
    return found if isinstance(found, dict) else None


def refusal(path: str, body: bytes) -> CoreRefused | None:
    """The refusal in an answer with status 400, if the core wrote it."""
    details = response_object(body)
    if details is None or not isinstance(code := details.pop("code", None), str):
        return None
    return CoreRefused(code, path, details)
