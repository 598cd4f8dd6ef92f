"""HTTP of the audit queries (spec/cloud-api.md §10)."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import Query
from starlette.responses import Response

from cloud_private_api.audit import queries
from cloud_private_api.audit.ports import Running
from cloud_private_api.errors import InvalidRequest, Violation
from cloud_private_api.parameters import Page, QueryInt, QueryText, TimestampFromQuery, TimestampToQuery
from cloud_private_api.periods import period_of
from cloud_private_api.routing import CallerDep, CloudRouter, Repeatable, answer
from powerauth_contracts.cloud import audit as contract

router = CloudRouter("Auditing")

Level = Literal["ERROR", "WARN", "INFO", "DEBUG", "TRACE"]
TypeName = Annotated[str, Query(pattern=r"^[A-Za-z0-9_.\-]{1,64}$")]


@router.answers(contract.GET_AUDIT_LOG)
async def get_audit_log(
    ports: Running,
    caller: CallerDep,
    user_id: Annotated[QueryText, Query(alias="userId", max_length=255)],
    timestamp_from: TimestampFromQuery = None,
    timestamp_to: TimestampToQuery = None,
) -> Response:
    """The verifications of a user's authentication codes, newest first."""
    period = period_of(timestamp_from, timestamp_to, ports.settings.audit_default_days)
    return answer(await queries.signatures(ports.core, caller, user_id, period))


@router.answers(contract.GET_AUDIT_LOG_V2)
async def get_audit_log_v2(
    ports: Running,
    caller: CallerDep,
    subject_id: Annotated[QueryText | None, Query(alias="subjectId", max_length=255)] = None,
    user_id: Annotated[QueryText | None, Query(alias="userId", max_length=255)] = None,
    timestamp_from: TimestampFromQuery = None,
    timestamp_to: TimestampToQuery = None,
    types: Annotated[list[TypeName] | None, Repeatable(), Query(alias="type", max_length=50)] = None,
    level: Annotated[Level, Query()] = "INFO",
    page: Annotated[QueryInt, Query(ge=0, le=1_000_000)] = 0,
    size: Annotated[QueryInt, Query(ge=1, le=500)] = 100,
) -> Response:
    """The general audit log about a user, newest first."""
    subject = user_id if subject_id is None else subject_id
    if subject is None:
        raise InvalidRequest(Violation("subjectId", "must not be null", parameter=True))
    period = period_of(timestamp_from, timestamp_to, ports.settings.audit_default_days)
    return answer(
        await queries.log(
            ports.core,
            caller,
            subject,
            period,
            Page(number=page, size=size),
            types=types or (),
            min_level=level,
        )
    )
