"""Claims about the user of an activation (spec/enrollment-api.md §6.14)."""

from __future__ import annotations

from enrollment.core_client import CoreDoor, CoreRefused
from enrollment.errors import EncryptionFailed, UserInfoFailed
from enrollment.pipeline.incoming import Incoming
from enrollment.pipeline.sealed import envelope_of, sender_of
from enrollment.wire import EnvelopeMembers
from powerauth_contracts.dmz.table import USER_INFO


async def user_info(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """Return the sealed claims; an empty object where no provider gives any.

    :raises EncryptionFailed: when the core cannot open the envelope, also because of the activation's state.
    :raises UserInfoFailed: when it opened the envelope and tells nothing.
    """
    sender = sender_of(incoming)
    if sender is None:
        raise EncryptionFailed
    try:
        answer = await door.sealed(USER_INFO, incoming.body, [sender])
    except CoreRefused:
        raise EncryptionFailed from None
    return envelope_of(answer, UserInfoFailed)
