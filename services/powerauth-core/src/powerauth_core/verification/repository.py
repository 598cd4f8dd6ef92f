"""Queries of the signature domain; those of a batch are one statement each, whatever the size of the
batch.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, Protocol, cast

from sqlalchemy import (
    DateTime,
    Insert,
    String,
    Table,
    bindparam,
    column,
    func,
    insert,
    select,
    table,
    text,
    type_coerce,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations.columns import as_stored, stored_status, stored_texts
from powerauth_core.activations.models import BOUND_COLUMNS, Activation
from powerauth_core.applications.models import Application, ApplicationVersion
from powerauth_core.audit.chain.models import AuditChain
from powerauth_core.audit.chain.streams import Chained
from powerauth_core.audit.signatures import (
    AUDIT_COLUMNS,
    CHAIN_COLUMNS,
    LOG_COLUMNS,
    LOG_CONSTANTS,
    SignatureAudit,
)
from powerauth_core.kernel.row_macs import RowMacs
from powerauth_core.verification.audit import AuditRecord
from powerauth_core.verification.jobs import LockedActivation
from powerauth_core.verification.steps import ActivationFacts, Decision
from powerauth_protocol.common.encoding import b64decode, b64encode

_ACTIVATION = cast(Table, Activation.__table__)


SELECTED_COLUMNS = (
    "activation_id",
    "activation_status",
    "protocol",
    "version",
    "blocked_reason",
    "counter",
    "ctr_data",
    "failed_attempts",
    "max_failed_attempts",
    "user_id",
    "application_id",
    "flags",
    "server_private_key_base64",
    "server_private_key_encryption",
    "device_public_key_base64",
    "activation_code",
    "activation_otp",
    "activation_otp_validation",
    "commit_phase",
    "row_mac",
)
"""Columns of an activation that a check needs; application name and roles follow."""

_LOCK = (
    # The texts and numbers of the columns as stored: both databases share `locked_activation`.
    select(
        *[as_stored(_ACTIVATION.c[name]) for name in SELECTED_COLUMNS],
        Application.name,
        type_coerce(Application.roles, String),
    )
    .join(Application, _ACTIVATION.c.application_id == Application.id)
    .where(_ACTIVATION.c.activation_id.in_(bindparam("ids", expanding=True)))
)
_STORE = (
    update(_ACTIVATION)
    .where(_ACTIVATION.c.activation_id == bindparam("id_"))
    .values(
        activation_status=bindparam("status_"),
        blocked_reason=bindparam("reason_"),
        counter=bindparam("counter_"),
        ctr_data=bindparam("ctr_data_"),
        failed_attempts=bindparam("failed_"),
        row_mac=func.coalesce(bindparam("mac_"), _ACTIVATION.c.row_mac),
        timestamp_last_used=bindparam("used_"),
    )
)


def _insert(name: str, columns: Mapping[str, str]) -> Insert:
    """Insert of values as the database holds them, past the decoding of the entity's columns."""
    types = {"timestamp": DateTime()}
    return insert(table(name, *[column(each, types.get(kind)) for each, kind in columns.items()]))


_PLACED = AUDIT_COLUMNS | CHAIN_COLUMNS
_INSERT_AUDIT = _insert("pa_signature_audit", _PLACED)
_INSERT_LOG = _insert("audit_log", LOG_COLUMNS | dict.fromkeys(LOG_CONSTANTS, "varchar"))


class BatchStatements(Protocol):
    """What a batch asks of the database: a fixed number of statements whatever its size."""

    async def lock(
        self, session: AsyncSession, activation_ids: Collection[str], *, skip_locked: bool
    ) -> dict[str, LockedActivation]:
        """Lock activations in the order of their ids, by id.

        :param skip_locked: leave out what somebody else holds instead of waiting for it
        """
        ...

    async def store(
        self,
        session: AsyncSession,
        decisions: Sequence[Decision],
        records: Sequence[AuditRecord],
        chained: Chained,
        now: datetime,
    ) -> None:
        """Write what is left of each activation, the rows of both audits, and the head of the chain.

        :param decisions: of different activations, in the order of their ids
        :param chained: the places of the records
        """
        ...

    async def touch(self, session: AsyncSession, chain_id: str) -> None:
        """Write without changing anything: an answer that leaves nothing behind waits for a commit like the
        others, so that the time it takes does not tell an unknown activation.
        """
        ...


_TOUCH = text("UPDATE audit_chain SET position = position WHERE chain_id = :chain_id")


class PortableStatements:
    """`BatchStatements` for SQLite, whose one writer holds the whole database: there are no rows to lock."""

    def __init__(self, macs: RowMacs) -> None:
        self._macs = macs

    async def lock(
        self, session: AsyncSession, activation_ids: Collection[str], *, skip_locked: bool
    ) -> dict[str, LockedActivation]:
        """See `BatchStatements.lock`."""
        rows = (await session.execute(_LOCK, {"ids": list(activation_ids)})).all()
        return {row[0]: locked_activation(row, self._macs) for row in rows}

    async def store(
        self,
        session: AsyncSession,
        decisions: Sequence[Decision],
        records: Sequence[AuditRecord],
        chained: Chained,
        now: datetime,
    ) -> None:
        """See `BatchStatements.store`."""
        rows = [
            {
                "id_": decision.after.activation_id,
                "status_": decision.after.status,
                "reason_": decision.after.blocked_reason,
                "counter_": decision.after.counter,
                "ctr_data_": None if decision.after.ctr_data is None else b64encode(decision.after.ctr_data),
                "failed_": decision.after.failed_attempts,
                "mac_": renewed_mac(self._macs, decision.after),
                "used_": now,
            }
            for decision in decisions
        ]
        connection = await session.connection()
        if rows:
            await connection.execute(_STORE, rows)
        if not records:
            return
        audit = [
            dict(zip(_PLACED, (*record.signature, *place), strict=True))
            for record, place in zip(records, chained.places, strict=True)
        ]
        await connection.execute(_INSERT_AUDIT, audit)
        if chained.head is not None:
            await connection.execute(
                update(AuditChain)
                .where(AuditChain.chain_id == chained.head.chain_id)
                .values(
                    position=chained.head.position,
                    mac=chained.head.mac,
                    timestamp_last=chained.head.timestamp,
                    seal=chained.head.seal,
                )
            )
        log = [LOG_CONSTANTS | dict(zip(LOG_COLUMNS, record.general, strict=True)) for record in records]
        await connection.execute(_INSERT_LOG, log)

    async def touch(self, session: AsyncSession, chain_id: str) -> None:
        """See `BatchStatements.touch`."""
        await session.execute(_TOUCH, {"chain_id": chain_id})


async def audit_of_user(
    session: AsyncSession,
    user_id: str,
    application_ids: Collection[str] | None,
    since: datetime | None,
    until: datetime | None,
) -> list[tuple[SignatureAudit, str, ApplicationVersion | None]]:
    """Audit rows of a user's activations in the inclusive range, newest first, with application id and
    version.
    """
    statement = (
        select(SignatureAudit, Application.name, ApplicationVersion)
        .join(Activation, SignatureAudit.activation_id == Activation.activation_id)
        .join(Application, Activation.application_id == Application.id)
        .outerjoin(ApplicationVersion, SignatureAudit.application_version_id == ApplicationVersion.id)
        .where(Activation.user_id == user_id)
        .order_by(SignatureAudit.timestamp_created.desc(), SignatureAudit.id.desc())
    )
    if application_ids is not None:
        statement = statement.where(Application.name.in_(application_ids))
    if since is not None:
        statement = statement.where(SignatureAudit.timestamp_created >= since)
    if until is not None:
        statement = statement.where(SignatureAudit.timestamp_created <= until)
    return [(audit, name, version) for audit, name, version in await session.execute(statement)]


_TABLE = _ACTIVATION.name
_MAC = SELECTED_COLUMNS.index("row_mac")
_APPLICATION = len(SELECTED_COLUMNS)
_bound = itemgetter(*[SELECTED_COLUMNS.index(name) for name in BOUND_COLUMNS])
_BOUND_STATUS = BOUND_COLUMNS.index("activation_status")


def renewed_mac(macs: RowMacs, after: ActivationFacts) -> str | None:
    """The MAC that the row gets with a new state; None: the one it has stays."""
    bound = after.bound
    if bound is None or bound[_BOUND_STATUS] == after.status.code:
        return None
    return macs.mac(_TABLE, (*bound[:_BOUND_STATUS], after.status.code, *bound[_BOUND_STATUS + 1 :]))


def locked_activation(row: Sequence[Any], macs: RowMacs) -> LockedActivation:
    """The activation in a row of `SELECTED_COLUMNS`, application name and roles, all as stored."""
    ctr_data, mac, bound = row[6], row[_MAC], _bound(row)
    sound = macs.sound(_TABLE, row[0], bound, mac)
    facts = ActivationFacts(
        row[0],
        stored_status(row[1]),
        ActivationProtocol(row[2]),
        row[3],
        row[4],
        row[5],
        None if ctr_data is None else b64decode(ctr_data, 16),
        row[7],
        row[8],
        sound,
        bound if sound and mac is not None else None,
    )
    return LockedActivation(
        facts=facts,
        user_id=row[9],
        application_rid=row[10],
        application_id=row[_APPLICATION],
        application_roles=stored_texts(row[_APPLICATION + 1]),
        flags=stored_texts(row[11]),
        server_private_key_base64=row[12],
        server_private_key_encryption=row[13],
        device_public_key_base64=row[14],
    )
