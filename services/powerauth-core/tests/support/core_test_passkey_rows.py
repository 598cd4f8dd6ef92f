"""Passkeys as rows of the core's tables, without a ceremony."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations import initialisation
from powerauth_core.activations.initialisation import Properties
from powerauth_core.container import Core
from powerauth_core.passkey_records.extras import Extras

SECURITY_KEY = "ee882879-721c-4913-9775-3dfcce97072a"
RP = "bank.example"
ORIGIN = "https://bank.example"
EXTRAS: Mapping[str, Any] = {
    "relyingPartyId": RP,
    "origin": ORIGIN,
    "aaguid": SECURITY_KEY,
    "be": False,
    "bs": False,
    "uv": True,
    "fmt": "none",
    "alg": -7,
}


async def store_passkey(
    core: Core,
    application_id: str,
    user_id: str,
    *,
    status: ActivationStatus = ActivationStatus.ACTIVE,
    **extras: Any,
) -> str:
    """A passkey of a user; the id of its activation.

    :param extras: members of ``extras`` in wire names, beside `EXTRAS`
    """
    identity = await core.application_cache.identity(core.database, application_id)
    assert identity is not None
    wanted = Properties(user_id=user_id, protocol=ActivationProtocol.FIDO2)
    async with core.database.transaction() as session:
        row = await initialisation.initialise(core, session, identity, wanted)
        members = {**EXTRAS, "credentialId": row.activation_id, **extras}
        row.external_id, row.activation_status = members["credentialId"], status
        row.extras = Extras.model_validate(members).encoded()
    return row.activation_id
