"""Answers over HTTP whose body is written once."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel
from starlette.responses import Response

from powerauth_contracts.wire import to_json


class JsonResponse(Response):
    """An answer whose body pydantic writes once, straight to bytes."""

    media_type = "application/json"

    def __init__(
        self,
        content: BaseModel | bytes,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        *,
        exclude_none: bool = False,
    ) -> None:
        body = content if isinstance(content, bytes) else to_json(content, exclude_none=exclude_none)
        super().__init__(body, status_code, headers)
