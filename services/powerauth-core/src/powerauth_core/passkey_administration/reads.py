"""Reads for the figures of many users at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.passkey_records.reads import WHOLE, passkeys
from powerauth_core.passkey_records.stored import Passkey
from servicekit.reads import LIST, Fetch, Read
from servicekit.row_macs import RowMacs

_OF_USERS = (
    "FROM pa_activation a JOIN pa_application p ON p.id = a.application_id"
    " WHERE p.name = $1 AND a.user_id IN (SELECT value FROM jsonb_array_elements_text($2))"
    f" AND a.activation_status = {ActivationStatus.ACTIVE.code}"
)
PASSKEYS = Read(
    f"SELECT {WHOLE} {_OF_USERS} AND a.external_id > '' AND a.protocol = '{ActivationProtocol.FIDO2}'",
    ("varchar", LIST),
)
WITH_PHONE = Read(
    f"SELECT DISTINCT a.user_id {_OF_USERS} AND a.protocol <> '{ActivationProtocol.FIDO2}'",
    ("varchar", LIST),
)


async def passkeys_of(
    fetch: Fetch, macs: RowMacs, application_id: str, users: Collection[str]
) -> dict[str, list[Passkey]]:
    """ACTIVE passkeys of users in an application."""
    found: defaultdict[str, list[Passkey]] = defaultdict(list)
    for passkey in passkeys(await fetch(PASSKEYS, application_id, sorted(users)), macs):
        if passkey.status is ActivationStatus.ACTIVE:
            found[passkey.user_id].append(passkey)
    return found


async def with_phone(fetch: Fetch, application_id: str, users: Collection[str]) -> set[str]:
    """Those of the users who have an ACTIVE activation of a phone in the application."""
    return {user for (user,) in await fetch(WITH_PHONE, application_id, sorted(users))} if users else set()
