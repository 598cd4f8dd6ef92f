"""Claims about the user of an activation (spec/enrollment-api.md §6.14)."""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import EncryptionFailed, UserInfoFailed
from enrollment.pipeline import calls
from enrollment.pipeline.incoming import Incoming
from enrollment.pipeline.sealed import sender_of
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
    return await calls.sealed(door, USER_INFO, incoming.body, [sender], EncryptionFailed, UserInfoFailed)
