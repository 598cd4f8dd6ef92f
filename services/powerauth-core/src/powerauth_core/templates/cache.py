"""Operation templates as creating an operation needs them: read once (design §8).

Dropped whole by any ``template.changed`` event, in the process that changes one with the change's commit, and
at the age of ``application_cache_seconds``, so that a missed event does no lasting harm; while no
events come, templates are read each time.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core.templates import repository
from powerauth_core.templates.models import OperationTemplate
from powerauth_core.templates.rules import NumberMatching, UserLimits
from servicekit.bus import Bus
from servicekit.caching import Cache
from servicekit.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """What operations are made from.

    :ivar signature_type: comma-joined lower-case text, as operations have it
    :ivar expiration: of an operation after it was created, in seconds
    """

    name: str
    operation_type: str
    data_template: str
    signature_type: str
    max_failure_count: int
    expiration: int
    risk_flags: str | None
    with_proximity: bool
    number_matching: NumberMatching | None
    unexpected_action: str | None
    user_limits: UserLimits | None
    issue_tokens: bool


class TemplateCache:
    """Templates by name. Belongs to one event loop."""

    def __init__(self, *, capacity: int, seconds: float, bus: Bus) -> None:
        """
        :param seconds: after this age a template is read again
        :param bus: brings events of other processes while it is connected
        """
        self._bus = bus
        self._by_name: Cache[str, Template] = Cache(capacity, seconds)

    async def by_name(self, session: AsyncSession, name: str) -> Template | None:
        """The template with this name; None if there is none."""

        async def load() -> Template | None:
            found = await repository.find_by_name(session, name)
            return None if found is None else _template(found)

        return await self._by_name.load(name, load) if self._bus.connected else await load()

    async def of_name(self, database: Database, name: str) -> Template | None:
        """`by_name` for who has no session: opens one only if it has to be read."""
        known = self._by_name.get(name) if self._bus.connected else None
        if known is not None:
            return known
        async with database.read() as session:
            return await self.by_name(session, name)

    def clear(self) -> None:
        """Forget everything; called when any template changed."""
        self._by_name.clear()


def _template(row: OperationTemplate) -> Template:
    return Template(
        name=row.template_name,
        operation_type=row.operation_type,
        data_template=row.data_template,
        signature_type=row.signature_type,
        max_failure_count=row.max_failure_count,
        expiration=row.expiration,
        risk_flags=row.risk_flags,
        with_proximity=row.proximity_check_enabled,
        number_matching=row.number_matching,
        unexpected_action=row.unexpected_action,
        user_limits=row.user_limits,
        issue_tokens=row.issue_tokens,
    )
