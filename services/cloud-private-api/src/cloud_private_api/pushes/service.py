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
        try:
            return await self._operation(operation, language)
        except Unavailable as error:
            _log.warning("operation not announced", id=operation.id, reason=str(error))
        except Exception:  # the operation exists, and the bank has to hear of it
            _log.exception("operation not announced", id=operation.id)
        return False

    async def _operation(self, operation: OperationDetailResponse, language: str) -> bool:
        applications = await self._applications.reachable(operation.applications)
        if applications:
            text = await self._texts.of(operation.template_name, language, operation.parameters)
            await self._outbox.put(rules.of_operation(operation, applications, *text, clock.now()))
        return bool(applications)

    async def inbox_message(
        self, message_id: str, user_id: str, applications: Sequence[str], subject: str, summary: str
    ) -> None:
        """Tell a user of a new message."""
        try:
            if reachable := await self._applications.reachable(applications):
                await self._outbox.put(
                    rules.of_inbox_message(message_id, user_id, reachable, subject, summary, clock.now())
                )
        except Unavailable as error:
            _log.warning("message not announced", id=message_id, reason=str(error))
        except Exception:
            _log.exception("message not announced", id=message_id)
