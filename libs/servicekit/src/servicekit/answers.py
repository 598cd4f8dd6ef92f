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
        # What the framework would work out of these is known.
        self.status_code = status_code
        self.background = None
        self.body = content if isinstance(content, bytes) else to_json(content, exclude_none=exclude_none)
        self.raw_headers = [
            (b"content-length", b"%d" % len(self.body)),
            (b"content-type", b"application/json"),
        ]
        for name, value in (headers or {}).items():
            self.raw_headers.append((name.lower().encode("latin-1"), value.encode("latin-1")))
