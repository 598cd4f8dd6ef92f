"""Envelopes in requests and answers (spec/core-api.md §2.2)."""

from __future__ import annotations

from powerauth_contracts.envelopes import EnvelopeFields, SealedFields
from powerauth_core.envelopes.service import ClosedEnvelope, Sealed
from powerauth_protocol.generation import version_of_members


def closed_envelope(fields: EnvelopeFields, application_key: str, version: str | None) -> ClosedEnvelope:
    """The envelope in a request.

    :param version: None from clients that tell none
    """
    members = {
        "temporaryKeyId": fields.temporary_key_id,
        "ephemeralPublicKey": fields.ephemeral_public_key,
        "encryptedData": fields.encrypted_data,
        "mac": fields.mac,
        "nonce": fields.nonce,
        "timestamp": fields.timestamp,
    }
    return ClosedEnvelope(
        application_key, version_of_members(members) if version is None else version, members
    )


def sealed_fields(sealed: Sealed) -> SealedFields:
    """The envelope in an answer."""
    return SealedFields.model_validate(sealed.members)
