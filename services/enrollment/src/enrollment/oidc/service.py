"""What an app needs to start a login with an identity provider (spec/enrollment-api.md §16)."""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import ApplicationConfigurationFailed, EncryptionFailed
from enrollment.pipeline import calls
from enrollment.pipeline.envelopes import EnvelopeRefused, open_application
from enrollment.pipeline.incoming import Incoming
from enrollment.wire import ok_object, text_member
from powerauth_contracts.dmz.table import APPLICATION_PUBLIC
from powerauth_contracts.wire import json_bytes


async def provider_configuration(door: CoreDoor, incoming: Incoming) -> bytes:
    """Return the sealed public fields of one provider; whatever else the core might send stays here.

    :raises EncryptionFailed: when the envelope cannot be opened.
    :raises ApplicationConfigurationFailed: for an unknown application or provider.
    """
    try:
        envelope = await open_application(door, incoming)
        provider_id = text_member(envelope.plaintext_object(), "providerId")
    except EnvelopeRefused:
        raise EncryptionFailed from None
    if provider_id is None:
        raise ApplicationConfigurationFailed
    public = await calls.called(
        door,
        APPLICATION_PUBLIC,
        ApplicationConfigurationFailed,
        application_key=envelope.application_key,
        provider_id=provider_id,
    )
    return envelope.seal(json_bytes(ok_object(public)))
