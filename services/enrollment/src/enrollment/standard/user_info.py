"""Claims about the user of an activation (spec/enrollment-api.md §6.14)."""

from __future__ import annotations

from enrollment.container import Enrollment
from enrollment.errors import EncryptionFailed, UserInfoFailed
from enrollment.pipeline.envelopes import EnvelopeRefused, open_activation
from enrollment.pipeline.incoming import Incoming
from servicekit.wire import json_bytes

ACTIVE = "ACTIVE"


async def user_info(enrollment: Enrollment, incoming: Incoming) -> bytes:
    """Return the sealed claims; an empty object where no provider gives any.

    :raises EncryptionFailed: when the envelope cannot be opened.
    :raises UserInfoFailed: when the activation is not active.
    """
    try:
        envelope = await open_activation(enrollment.door, incoming, with_user_info=True)
        envelope.plaintext_object()
    except EnvelopeRefused:
        raise EncryptionFailed from None
    if envelope.keys.activation_status != ACTIVE:
        raise UserInfoFailed
    return envelope.seal(json_bytes(envelope.keys.user_info or {}))
