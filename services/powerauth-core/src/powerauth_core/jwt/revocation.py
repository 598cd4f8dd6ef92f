"""Taking back what was issued (spec/device-trust.md §2.5, §2.7 rule 6)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import AuditLevel
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.jwt import repository
from powerauth_core.jwt.models import JwtSession
from powerauth_core.jwt.rules import SubjectType
from servicekit import clock


async def end_session(session: AsyncSession, row: JwtSession, why: str, *, alarming: bool = False) -> None:
    """Nothing of a sign-in is accepted any more.

    :param why: the audit's name of what happened
    :param alarming: somebody else may have had its tokens
    """
    row.revoked = 1
    await session.flush()
    await repository.set_not_before(
        session, SubjectType.SESSION, repository.EVERY_APPLICATION, row.session_id, clock.now()
    )
    params = {"sessionId": row.session_id, "clientId": row.client_id}
    level = AuditLevel.WARN if alarming else AuditLevel.INFO
    await audit.record(session, AuditType.JWT, why, params, row.user_id, level)


async def end_sessions_of(session: AsyncSession, activation_id: str) -> int:
    """Nothing is accepted that was issued by this activation or passkey; how many sign-ins that were."""
    return await _end(
        session, await repository.live_sessions(session, clock.now(), activation_id=activation_id)
    )


async def end_sessions_at(session: AsyncSession, client_id: str) -> int:
    """Nothing is accepted that was issued to this client; how many sign-ins that were."""
    return await _end(session, await repository.live_sessions(session, clock.now(), client_id=client_id))


async def _end(session: AsyncSession, rows: list[JwtSession]) -> int:
    sound = [row for row in rows if row.sound]
    for row in sound:
        await end_session(session, row, "token.session.revoked")
    return len(sound)


async def refuse_user(session: AsyncSession, user_id: str, application_rid: int | None = None) -> None:
    """Nothing of a user is accepted that was issued until now.

    :param application_rid: row id of the one application that it is limited to
    """
    await _refuse(session, SubjectType.USER, application_rid or repository.EVERY_APPLICATION, user_id)


async def refuse_device(session: AsyncSession, device_or_key_id: str) -> None:
    """Nothing of a device, or of a device's key, is accepted that was issued until now."""
    await _refuse(session, SubjectType.DEVICE, repository.EVERY_APPLICATION, device_or_key_id)


async def refuse_keys(session: AsyncSession, scope: int | None, since: datetime) -> None:
    """Nothing is accepted that keys of a scope have signed before a moment."""
    await repository.set_not_before(
        session, SubjectType.KEY_SCOPE, scope or repository.EVERY_APPLICATION, "", since
    )


async def _refuse(session: AsyncSession, kind: SubjectType, application_rid: int, subject: str) -> None:
    await repository.set_not_before(session, kind, application_rid, subject, clock.now())
    params = {"subjectType": kind.value, "subject": subject}
    user = subject if kind is SubjectType.USER else None
    await audit.record(session, AuditType.JWT, "token.not_before", params, user)
