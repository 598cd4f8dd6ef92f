"""MAC tokens made directly at the core."""

from __future__ import annotations

import json
import time

from powerauth_sdk.phone import token_request


def validate_body(token_id: str, secret: bytes) -> bytes:
    """The body of a ``token/validate`` call with a fresh nonce."""
    request = token_request((token_id, secret), int(time.time() * 1000))
    return json.dumps({"requestObject": request}, separators=(",", ":")).encode()
