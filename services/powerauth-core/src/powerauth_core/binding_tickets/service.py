"""Binding tickets: made for the bank's backend, used once by the device that they are brought by
(spec/device-trust.md §0.3, §1.9).
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.binding_tickets import repository
from powerauth_core.binding_tickets.models import BindingTicket
from powerauth_core.binding_tickets.ports import Ports
from powerauth_core.kernel.errors import InvalidApplication
from powerauth_core.kernel.token_errors import TicketInvalid
from powerauth_protocol.common.encoding import b64url_encode
from servicekit import clock
from servicekit.database import Database

TICKET_BYTES = 32
KEPT = timedelta(hours=24)
"""For how long a ticket is kept after it is over."""


@dataclass(frozen=True, slots=True)
class Made:
    """A new ticket, b64u of 32 bytes, and until when it can be used."""

    ticket: str = field(repr=False)
    expires: datetime


@dataclass(frozen=True, slots=True)
class Vouched:
    """Whom a ticket vouches for, and in which application."""

    user_id: str
    application_rid: int
    application_id: str


async def create(
    ports: Ports,
    *,
    user_id: str,
    application_id: str,
    life: timedelta,
    created_by: str | None,
    scope: Sequence[str] | None,
) -> Made:
    """``device/ticket/create``: the caller vouches that it knows the user.

    :param scope: the applications that the caller may touch, None = all
    :raises InvalidApplication: unknown application, or out of scope
    """
    ticket = b64url_encode(secrets.token_bytes(TICKET_BYTES))
    async with ports.database.transaction() as session:
        application = await ports.application_cache.by_id(session, application_id)
        if application is None or (scope is not None and application_id not in scope):
            raise InvalidApplication
        row = BindingTicket(
            hash=hash_of(ticket),
            application_id=application.application_rid,
            user_id=user_id,
            expires_at=clock.now() + life,
            used=0,
            created_by=created_by,
        )
        session.add(row)
        await session.flush()
        params = {"applicationId": application_id, "userId": user_id, "createdBy": created_by}
        await audit.record(session, AuditType.DEVICE, "device.ticket.created", params, user_id)
    return Made(ticket, row.expires_at)


async def revoke(ports: Ports, ticket: str, scope: Sequence[str] | None) -> None:
    """``device/ticket/revoke``: a ticket that is not there, over or used stays so."""
    async with ports.database.transaction() as session:
        row = await repository.find(session, hash_of(ticket), lock=True)
        if row is None or not _is_usable(row):
            return
        application = await ports.application_cache.by_rid(session, row.application_id)
        if application is None or (scope is not None and application.application_id not in scope):
            return
        _use(row)
        params = {"applicationId": application.application_id, "userId": row.user_id}
        await audit.record(session, AuditType.DEVICE, "device.ticket.revoked", params, row.user_id)


async def find(ports: Ports, session: AsyncSession, ticket: str) -> Vouched:
    """Whom a ticket vouches for; it can still be used.

    :raises TicketInvalid: unknown, over or used
    """
    return await _vouched(ports, session, await repository.find(session, hash_of(ticket)))


async def redeem_hashed(ports: Ports, session: AsyncSession, hashed: str) -> Vouched:
    """Use a ticket in the caller's transaction: of several exactly one passes, unless it rolls back.

    :param hashed: `hash_of` it, which is all that is kept of one between two steps
    :raises TicketInvalid: unknown, over or used
    """
    row = await repository.find(session, hashed, lock=True)
    vouched = await _vouched(ports, session, row)
    assert row is not None
    _use(row)
    await session.flush()
    params = {"applicationId": vouched.application_id, "userId": vouched.user_id}
    await audit.record(session, AuditType.DEVICE, "device.ticket.used", params, vouched.user_id)
    return vouched


async def delete_expired(database: Database) -> int:
    """Delete tickets a day after they are over; the job of spec/device-trust.md §9.3."""
    async with database.transaction() as session:
        return await repository.delete_expired(session, clock.now() - KEPT)


async def _vouched(ports: Ports, session: AsyncSession, row: BindingTicket | None) -> Vouched:
    if row is None or not _is_usable(row):
        raise TicketInvalid
    application = await ports.application_cache.by_rid(session, row.application_id)
    if application is None:
        raise TicketInvalid
    return Vouched(row.user_id, application.application_rid, application.application_id)


def _is_usable(row: BindingTicket) -> bool:
    return row.sound and not row.used and row.expires_at > clock.now()


def _use(row: BindingTicket) -> None:
    row.used, row.used_at = 1, clock.now()


def hash_of(ticket: str) -> str:
    """What is kept of a ticket: hex of its SHA-256."""
    return hashlib.sha256(ticket.encode()).hexdigest()
