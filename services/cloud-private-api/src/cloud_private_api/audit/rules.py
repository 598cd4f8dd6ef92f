"""Decisions about audit records, without I/O (spec/cloud-api.md §10.1)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable

from powerauth_contracts.cloud.audit import SignatureEvent
from powerauth_contracts.rest.verification import SignatureAuditItem

_SIGNED_PARTS = 4
UNKNOWN_NOTE = "unknown"


def event_data(data_base64: str | None) -> str:
    """What was signed: method, URI id and request body on three lines; empty when the data has another form.

    The signed bytes end with the application secret, which is never shown.
    """
    parts = _text(data_base64 or "").split("&")
    if len(parts) < _SIGNED_PARTS:
        return ""
    method, uri_id, _nonce, body = parts[:_SIGNED_PARTS]
    return f"{method}\n{_text(uri_id)}\n{_text(body)}"


def _text(encoded: str) -> str:
    try:
        return base64.b64decode(encoded, validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return ""


def newest_first(items: Iterable[SignatureAuditItem]) -> list[SignatureEvent]:
    """Records as events, newest first."""
    ordered = sorted(items, key=lambda item: (item.timestamp_created, item.id), reverse=True)
    return [
        SignatureEvent(
            activation_id=item.activation_id,
            event_type=item.note or UNKNOWN_NOTE,
            event_data=event_data(item.data_base64),
            timestamp=item.timestamp_created,
        )
        for item in ordered
    ]
