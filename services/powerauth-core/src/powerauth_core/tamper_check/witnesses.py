"""What else in the database tells that signatures were checked, for an audit that was emptied as a whole.

Every check that moves an activation's counter leaves a row, the first of them with the counter 0, and a row
of the general log of the same moment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations.models import Activation
from powerauth_core.audit.models import AuditLog
from powerauth_core.audit.signatures import LOG_CONSTANTS, SignatureAudit
from servicekit.database import Database

WINDOW = 20_000
_DAY = timedelta(days=1)

_USED = and_(Activation.counter > 0, Activation.protocol == ActivationProtocol.POWERAUTH.value)
_LOGGED = and_(
    *[getattr(AuditLog, name) == LOG_CONSTANTS[name] for name in ("application_name", "audit_type")]
)
# Rows of the original hold the counter after the check; they have neither chain nor version.
_FIRST_ROW = and_(
    SignatureAudit.activation_id == Activation.activation_id,
    or_(
        SignatureAudit.activation_counter == 0,
        and_(SignatureAudit.chain_id.is_(None), SignatureAudit.application_version_id.is_(None)),
    ),
)


@dataclass(slots=True)
class Unproved:
    """Activations that were used without leaving what they must.

    :ivar example: id of one of them
    """

    count: int = 0
    example: str | None = None


async def any_use(database: Database) -> bool:
    """Whether a signature was ever checked here, by what activations and the general log say."""
    async with database.read() as session:
        for condition in (_USED, _LOGGED):
            if await session.scalar(select(exists().where(condition))):
                return True
    return False


async def activations_without_first_row(database: Database, since: datetime | None) -> Unproved:
    """Activations whose counter has moved and whose rows do not begin at its start.

    :param since: only those created since
    """
    found = Unproved()
    after = ""
    while True:
        page = (
            select(Activation.activation_id)
            .where(Activation.activation_id > after)
            .order_by(Activation.activation_id)
            .limit(WINDOW)
            .subquery()
        )
        async with database.read() as session:
            last = await session.scalar(select(func.max(page.c.activation_id)))
            if last is None:
                return found
            statement = select(func.count(), func.min(Activation.activation_id)).where(
                Activation.activation_id > after,
                Activation.activation_id <= last,
                _USED,
                ~exists().where(_FIRST_ROW),
            )
            if since is not None:
                statement = statement.where(Activation.timestamp_created >= since)
            count, example = (await session.execute(statement)).one()
        found.count += count
        found.example = found.example or example
        after = last


async def logged_without_rows(
    database: Database, since: datetime | None, split: datetime
) -> AsyncIterator[tuple[datetime, datetime]]:
    """Days of which the general log tells of checks and the audit has no row; a day ends at ``split`` too.

    :return: the moments of the first and of the last check that the log tells of
    """
    moment = since or datetime.min
    while True:
        async with database.read() as session:
            first: datetime | None = await session.scalar(
                _edge(func.min, AuditLog.timestamp_created >= moment)
            )
            if first is None:
                return
            until = datetime(first.year, first.month, first.day) + _DAY
            if first < split < until:
                until = split
            rows = exists().where(
                SignatureAudit.timestamp_created >= first, SignatureAudit.timestamp_created < until
            )
            if not await session.scalar(select(rows)):
                within = and_(AuditLog.timestamp_created >= first, AuditLog.timestamp_created < until)
                yield first, await session.scalar(_edge(func.max, within))
        moment = until


def _edge(edge: Any, condition: ColumnElement[bool]) -> Select[Any]:
    return select(edge(AuditLog.timestamp_created)).where(_LOGGED, condition)
