"""Protocol upgrade of old activations, kept for wire compatibility (spec/enrollment-api.md §6.12)."""

from __future__ import annotations

from enrollment.core_client import CoreDoor
from enrollment.errors import RequestInvalid, SignatureInvalid, UpgradeFailed
from enrollment.pipeline import calls
from enrollment.pipeline.envelopes import is_envelope
from enrollment.pipeline.incoming import Incoming
from enrollment.wire import EnvelopeMembers
from powerauth_contracts.dmz.table import UPGRADE_COMMIT, UPGRADE_START
from powerauth_protocol.common.errors import HeaderError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.generation import read_authorization, read_encryption
from powerauth_protocol.v3.http_headers import parse_fields

_UNKNOWN_VERSION = "POWER_AUTH_ENCRYPTION_VERSION_INVALID"


async def start_upgrade(door: CoreDoor, incoming: Incoming) -> EnvelopeMembers:
    """Pass the device's closed envelope to the core and its answer back.

    :raises UpgradeFailed: when the header is unusable or the core refuses.
    :raises RequestInvalid: when the version is unknown or the envelope does not have its form.
    """
    try:
        header = read_encryption(parse_fields(incoming.encryption), Scope.ACTIVATION)
    except HeaderError as error:
        raise (RequestInvalid if error.code == _UNKNOWN_VERSION else UpgradeFailed) from None
    if not is_envelope(incoming.body, header.version):
        raise RequestInvalid
    return await calls.sealed(door, UPGRADE_START, incoming.body, [header], UpgradeFailed, UpgradeFailed)


async def commit_upgrade(door: CoreDoor, incoming: Incoming) -> None:
    """Commit the upgrade of the activation that signed with its possession factor.

    :raises SignatureInvalid: without a header, for a wrong factor type or a wrong signature.
    :raises UpgradeFailed: for a malformed header, an empty body, or when the core refuses.
    """
    if incoming.authorization is None:
        raise SignatureInvalid
    try:
        read_authorization(parse_fields(incoming.authorization))
    except HeaderError:
        raise UpgradeFailed from None
    if not incoming.body:
        raise UpgradeFailed
    await calls.signed(door, UPGRADE_COMMIT, incoming, UpgradeFailed)
