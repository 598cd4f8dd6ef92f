"""Operation templates (spec/core-api.md §20). Operations copy them: a change concerns later ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TypedDict

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import SignatureType, UnexpectedAction
from powerauth_core import events
from powerauth_core.audit import service as audit
from powerauth_core.audit.rules import AuditType
from powerauth_core.kernel.errors import TemplateExists, TemplateNotFound
from powerauth_core.templates import repository
from powerauth_core.templates.cache import TemplateCache
from powerauth_core.templates.models import OperationTemplate
from powerauth_core.templates.ports import Ports
from powerauth_core.templates.rules import NumberMatching, UserLimits, signature_type_column, signature_types
from servicekit.database import Database, after_commit


class Protection(TypedDict, total=False):
    """What a template has against fatigue (§19.10): None is without, what is not given stays as it is."""

    number_matching: NumberMatching | None
    unexpected_action: UnexpectedAction | None
    user_limits: UserLimits | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a template says of its operations; ``expiration`` in seconds."""

    operation_type: str
    data_template: str
    signature_types: Sequence[SignatureType]
    max_failure_count: int
    expiration: int
    risk_flags: str | None
    with_proximity: bool
    issue_tokens: bool
    protection: Protection


async def create(ports: Ports, name: str, content: Content) -> OperationTemplate:
    """``operation/template/create``.

    :raises TemplateExists: the name is taken
    """
    template = OperationTemplate(template_name=name)
    _fill(template, content)
    async with ports.database.transaction() as session:
        if await repository.find_by_name(session, name) is not None:
            raise TemplateExists()
        session.add(template)
        try:
            await session.flush()
        except IntegrityError:
            # Somebody else took the name in the meantime.
            raise TemplateExists() from None
        await _announce(ports.template_cache, session, "Operation template created", template)
    return template


async def update(ports: Ports, template_id: int, content: Content) -> OperationTemplate:
    """``operation/template/update``.

    :raises TemplateNotFound: unknown id
    """
    async with ports.database.transaction() as session:
        template = await repository.lock(session, ports.database.dialect, template_id)
        if template is None:
            raise TemplateNotFound()
        _fill(template, content)
        await session.flush()
        await _announce(ports.template_cache, session, "Operation template updated", template)
    return template


async def detail(database: Database, template_id: int) -> OperationTemplate:
    """``operation/template/detail``.

    :raises TemplateNotFound: unknown id
    """
    async with database.read() as session:
        template = await repository.find(session, template_id)
    if template is None:
        raise TemplateNotFound()
    return template


async def list_all(database: Database) -> Sequence[OperationTemplate]:
    """``operation/template/list``: all templates, by id."""
    async with database.read() as session:
        return await repository.list_all(session)


async def remove(ports: Ports, template_id: int) -> None:
    """``operation/template/remove``.

    :raises TemplateNotFound: unknown id
    """
    async with ports.database.transaction() as session:
        template = await repository.lock(session, ports.database.dialect, template_id)
        if template is None:
            raise TemplateNotFound()
        await session.delete(template)
        await session.flush()
        await _announce(ports.template_cache, session, "Operation template removed", template)


def _fill(template: OperationTemplate, content: Content) -> None:
    template.operation_type = content.operation_type
    template.data_template = content.data_template
    template.signature_type = signature_type_column(content.signature_types)
    template.max_failure_count = content.max_failure_count
    template.expiration = content.expiration
    template.risk_flags = content.risk_flags
    template.proximity_check_enabled = content.with_proximity
    template.issue_tokens = content.issue_tokens
    for name, value in content.protection.items():
        setattr(template, name, value)


async def _announce(
    known: TemplateCache, session: AsyncSession, message: str, template: OperationTemplate
) -> None:
    """Audit the change, and let everybody forget what they know of the template."""
    number, limits = template.number_matching, template.user_limits
    params = {
        "id": template.id,
        "templateName": template.template_name,
        "operationType": template.operation_type,
        "dataTemplate": template.data_template,
        "signatureType": [kind.value for kind in signature_types(template.signature_type)],
        "maxFailureCount": template.max_failure_count,
        "expiration": template.expiration,
        "riskFlags": template.risk_flags,
        "proximityCheckEnabled": template.proximity_check_enabled,
        "numberMatching": None if number is None else asdict(number),
        "onUnexpectedOperation": template.unexpected_action,
        "userLimits": None if limits is None else asdict(limits),
        "issueTokens": template.issue_tokens,
    }
    await audit.record(session, AuditType.TEMPLATE, message, params, None)
    await events.template_changed(session, template.template_name)
    after_commit(session, known.clear)
