"""What users are told of by push (spec/cloud-api.md §9.2, §13.2)."""

from __future__ import annotations

from collections.abc import Sequence

from cloud_private_api.known import PushApplications
from cloud_private_api.localizations.texts import PushTexts
from cloud_private_api.pushes import rules
from cloud_private_api.pushes.outbox import Outbox
from powerauth_contracts.rest.operations import OperationDetailResponse
from servicekit import clock
from servicekit.errors import Unavailable
from servicekit.logs import get_logger

_log = get_logger(__name__)


class Announcements:
    """Announces what is new to the phones of a user; nothing here fails what is announced."""

    def __init__(self, applications: PushApplications, texts: PushTexts, outbox: Outbox) -> None:
        self._applications = applications
        self._texts = texts
        self._outbox = outbox

    async def operation(self, operation: OperationDetailResponse, language: str) -> bool:
        """Whether the owner of a new operation will be told of it."""
        if operation.user_id is None:
            return False
        applications = await self._applications.reachable(operation.applications)
        if not applications:
            return False
        try:
            text = await self._texts.of(operation.template_name, language, operation.parameters)
            await self._outbox.put(rules.of_operation(operation, applications, *text, clock.now()))
        except Unavailable as error:
            _log.warning("operation not announced", id=operation.id, reason=str(error))
            return False
        return True

    async def inbox_message(
        self, message_id: str, user_id: str, applications: Sequence[str], subject: str, summary: str
    ) -> None:
        """Tell a user of a new message."""
        reachable = await self._applications.reachable(applications)
        if not reachable:
            return
        announcement = rules.of_inbox_message(message_id, user_id, reachable, subject, summary, clock.now())
        try:
            await self._outbox.put(announcement)
        except Unavailable as error:
            _log.warning("message not announced", id=message_id, reason=str(error))
