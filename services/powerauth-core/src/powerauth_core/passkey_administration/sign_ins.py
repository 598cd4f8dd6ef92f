"""Whether a policy still lets go on what a passkey signed in to (spec/device-trust.md §2.5, §4.8)."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.passkey_administration.ports import Ports
from servicekit.database import fetch_within


class SignedIn(Protocol):
    """A sign-in that goes on.

    :ivar application_id: row id of its application
    :ivar activation_id: the activation that signed in, which may be a passkey
    """

    @property
    def application_id(self) -> int: ...

    @property
    def user_id(self) -> str: ...

    @property
    def activation_id(self) -> str | None: ...


async def allows(ports: Ports, session: AsyncSession, signed_in: SignedIn) -> bool:
    """Whether no policy blocks the passkey; nothing is written, so one that is changed back allows it."""
    if signed_in.activation_id is None:
        return True
    application = await ports.application_cache.by_rid(session, signed_in.application_id)
    if application is None:
        return False
    known = await ports.passkey_policies.within(session, application.application_id)
    if known is None or known.policy is None:
        return True
    from powerauth_core.passkey_administration.rules import Side  # noqa: PLC0415 - heavy: certificates
    from powerauth_core.passkey_records import reads as records  # noqa: PLC0415 - as above

    fetch = partial(fetch_within, session)
    found = await records.of_user(fetch, ports.row_macs, signed_in.user_id, [application.application_id])
    passkey = next((one for one in found if one.activation_id == signed_in.activation_id), None)
    side = Side(known.policy, ports.fido_metadata.known_synced)
    return passkey is None or side.blocked(passkey) is None
