"""Shaping answers of the core's API (spec/core-api.md §1)."""

from collections.abc import Sequence

from pydantic import BaseModel

from powerauth_contracts.wire import to_json
from servicekit.answers import JsonResponse

_OK = b'{"status":"OK"}'
_OPEN = b'{"status":"OK","responseObject":'
_CLOSE = b"}"


def answer(content: BaseModel) -> JsonResponse:
    """``{"status":"OK","responseObject":{…}}``, members that are None written as ``null``."""
    return JsonResponse(_OPEN + to_json(content) + _CLOSE)


def answer_list(items: Sequence[BaseModel]) -> JsonResponse:
    """The same with a bare array as ``responseObject``."""
    return JsonResponse(_OPEN + b"[" + b",".join(map(to_json, items)) + b"]" + _CLOSE)


def answer_empty() -> JsonResponse:
    """``{"status":"OK"}`` without ``responseObject``."""
    return JsonResponse(_OK)
