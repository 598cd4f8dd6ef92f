"""Shaping answers of the core's API (spec/core-api.md §1)."""

from pydantic import BaseModel

from powerauth_contracts.calls import Content
from powerauth_contracts.wire import to_json
from servicekit.answers import JsonResponse

_OK = b'{"status":"OK"}'
_OPEN = b'{"status":"OK","responseObject":'
_CLOSE = b"}"


def answer(content: Content | BaseModel) -> JsonResponse:
    """``{"status":"OK","responseObject":…}``: an object, members that are None written as ``null``, a bare
    array, or for None no ``responseObject`` at all.
    """
    if isinstance(content, BaseModel):
        return JsonResponse(_OPEN + to_json(content) + _CLOSE)
    if content is None:
        return JsonResponse(_OK)
    return JsonResponse(_OPEN + b"[" + b",".join(map(to_json, content)) + b"]" + _CLOSE)
