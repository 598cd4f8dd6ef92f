"""Operations, their templates and localised texts (spec/core-api.md §19, §20; D2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud_private_api.core_client.activations import Scope, wire_time
from cloud_private_api.core_client.models import (
    Operation,
    OperationText,
    OperationTexts,
    RemovedAnswer,
    Template,
    UserAction,
)
from cloud_private_api.core_client.transport import CoreDoor

AdditionalData = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOperation:
    """The request of ``operation/create``."""

    applications: Scope
    template_name: str
    user_id: str | None = None
    external_id: str | None = None
    activation_flag: str | None = None
    activation_id: str | None = None
    expires: datetime | None = None
    parameters: Mapping[str, str] | None = None
    additional_data: AdditionalData | None = None
    proximity_check_enabled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which part of a list; ``number`` counts from 0."""

    number: int = 0
    size: int = 500


class Operations:
    """Calls below ``operation/``."""

    def __init__(self, door: CoreDoor) -> None:
        self._door = door

    async def create(self, operation: NewOperation) -> Operation:
        """``operation/create``."""
        return await self._door.ask(
            "operation/create",
            Operation,
            {
                "applications": operation.applications,
                "applicationIds": operation.applications,
                "templateName": operation.template_name,
                "userId": operation.user_id,
                "externalId": operation.external_id,
                "activationFlag": operation.activation_flag,
                "activationId": operation.activation_id,
                "timestampExpires": wire_time(operation.expires),
                "parameters": operation.parameters,
                "additionalData": operation.additional_data,
                "proximityCheckEnabled": operation.proximity_check_enabled,
            },
        )

    async def detail(self, operation_id: str, scope: Scope) -> Operation:
        """``operation/detail``, without claiming."""
        return await self._door.ask(
            "operation/detail", Operation, {"operationId": operation_id, "applicationIds": scope}
        )

    async def list_of_user(
        self, user_id: str, applications: Scope, page: Page, *, pending: bool, activation_id: str | None
    ) -> Sequence[Operation]:
        """``operation/list`` or ``operation/list/pending``, newest first."""
        return await self._door.ask(
            "operation/list/pending" if pending else "operation/list",
            list[Operation],
            {
                "userId": user_id,
                "applications": applications,
                "applicationIds": applications,
                "activationId": activation_id,
                "pageNumber": page.number,
                "pageSize": page.size,
            },
        )

    async def list_external(self, external_id: str, applications: Scope, page: Page) -> Sequence[Operation]:
        """``operation/list/external``, newest first."""
        return await self._door.ask(
            "operation/list/external",
            list[Operation],
            {
                "externalId": external_id,
                "applications": applications,
                "applicationIds": applications,
                "pageNumber": page.number,
                "pageSize": page.size,
            },
        )

    async def claim(self, operation_id: str, scope: Scope, *, user_id: str) -> Operation:
        """``operation/claim``."""
        return await self._door.ask(
            "operation/claim",
            Operation,
            {"operationId": operation_id, "applicationIds": scope, "userId": user_id},
        )

    async def approve(
        self,
        operation: Operation,
        scope: Scope,
        *,
        user_id: str,
        application_id: str,
        signature_type: str,
        additional_data: AdditionalData,
    ) -> UserAction:
        """``operation/approve`` with the operation's own data, after a verified authentication code."""
        return await self._door.ask(
            "operation/approve",
            UserAction,
            {
                "operationId": operation.id,
                "applicationIds": scope,
                "userId": user_id,
                "applicationId": application_id,
                "data": operation.data,
                "signatureType": signature_type,
                "additionalData": additional_data,
            },
        )

    async def fail(
        self, operation_id: str, scope: Scope, *, additional_data: AdditionalData | None = None
    ) -> UserAction:
        """``operation/approve/fail``: one failed attempt."""
        return await self._door.ask(
            "operation/approve/fail",
            UserAction,
            {"operationId": operation_id, "applicationIds": scope, "additionalData": additional_data},
        )

    async def reject(
        self,
        operation_id: str,
        scope: Scope,
        *,
        user_id: str,
        application_id: str,
        additional_data: AdditionalData | None,
    ) -> UserAction:
        """``operation/reject``."""
        return await self._door.ask(
            "operation/reject",
            UserAction,
            {
                "operationId": operation_id,
                "applicationIds": scope,
                "userId": user_id,
                "applicationId": application_id,
                "additionalData": additional_data,
            },
        )

    async def cancel(self, operation_id: str, scope: Scope, *, status_reason: str | None) -> None:
        """``operation/cancel``."""
        await self._door.tell(
            "operation/cancel",
            {"operationId": operation_id, "applicationIds": scope, "statusReason": status_reason},
        )


class Templates:
    """Calls below ``operation/template/``."""

    def __init__(self, door: CoreDoor) -> None:
        self._door = door

    async def list(self) -> Sequence[Template]:
        """``operation/template/list``."""
        return await self._door.ask("operation/template/list", list[Template], {})

    async def create(self, members: Mapping[str, object]) -> Template:
        """``operation/template/create`` with the template's wire members."""
        return await self._door.ask("operation/template/create", Template, members)

    async def update(self, template_id: int, members: Mapping[str, object]) -> Template:
        """``operation/template/update`` with the template's wire members but its name."""
        return await self._door.ask("operation/template/update", Template, {"id": template_id, **members})

    async def remove(self, template_id: int) -> None:
        """``operation/template/remove``."""
        await self._door.tell("operation/template/remove", {"id": template_id})


class Texts:
    """Calls below ``operation/text/``: localised texts by operation type and language."""

    def __init__(self, door: CoreDoor) -> None:
        self._door = door

    async def list(self, placeholder: str | None = None) -> Sequence[OperationText]:
        """``operation/text/list``, all or those of one operation type."""
        answer = await self._door.ask("operation/text/list", OperationTexts, {"placeholder": placeholder})
        return answer.texts

    async def update(self, placeholder: str, language: str, members: Mapping[str, object]) -> OperationText:
        """``operation/text/update``: insert or replace one text."""
        return await self._door.ask(
            "operation/text/update",
            OperationText,
            {"placeholder": placeholder, "language": language, **members},
        )

    async def remove(self, placeholder: str, language: str) -> bool:
        """``operation/text/remove``; False when there was none."""
        answer = await self._door.ask(
            "operation/text/remove", RemovedAnswer, {"placeholder": placeholder, "language": language}
        )
        return answer.removed
