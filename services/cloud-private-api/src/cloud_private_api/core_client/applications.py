"""Applications, their configuration and callbacks; reports of the core (spec/core-api.md §4-§6, §17, §18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cloud_private_api.core_client.activations import Scope, wire_time
from cloud_private_api.core_client.models import (
    ApplicationDetail,
    ApplicationItem,
    ApplicationList,
    ApplicationOfKey,
    AuditLogAnswer,
    CallbackList,
    CallbackUrl,
    ConfigAnswer,
    ConfigItem,
    RemovedAnswer,
    RolesAnswer,
    TelemetryReport,
)
from cloud_private_api.core_client.transport import CoreDoor


class Applications:
    """Calls below ``application/``."""

    def __init__(self, door: CoreDoor) -> None:
        self._door = door

    async def list(self) -> Sequence[ApplicationItem]:
        """``application/list``."""
        return (await self._door.ask("application/list", ApplicationList, {})).applications

    async def detail(self, application_id: str) -> ApplicationDetail:
        """``application/detail``."""
        return await self._door.ask(
            "application/detail", ApplicationDetail, {"applicationId": application_id}
        )

    async def of_key(self, application_key: str) -> str:
        """``application/detail/version``: the application that an application key belongs to."""
        answer = await self._door.ask(
            "application/detail/version", ApplicationOfKey, {"applicationKey": application_key}
        )
        return answer.application_id

    async def create(self, application_id: str) -> None:
        """``application/create``."""
        await self._door.tell("application/create", {"applicationId": application_id})

    async def create_version(self, application_id: str, version: str) -> None:
        """``application/version/create``."""
        await self._version("create", application_id, version)

    async def support_version(self, application_id: str, version: str, *, supported: bool) -> None:
        """``application/version/support`` or ``/unsupport``."""
        await self._version("support" if supported else "unsupport", application_id, version)

    async def add_roles(self, application_id: str, roles: Sequence[str]) -> Sequence[str]:
        """``application/roles/create``."""
        return await self._roles("create", application_id, roles)

    async def replace_roles(self, application_id: str, roles: Sequence[str]) -> Sequence[str]:
        """``application/roles/update``; ``roles`` must not be empty."""
        return await self._roles("update", application_id, roles)

    async def remove_roles(self, application_id: str, roles: Sequence[str]) -> Sequence[str]:
        """``application/roles/remove``."""
        return await self._roles("remove", application_id, roles)

    async def roles(self, application_id: str) -> Sequence[str]:
        """``application/roles/list``."""
        return await self._roles("list", application_id, None)

    async def config(self, application_id: str) -> Sequence[ConfigItem]:
        """``application/config/detail``; an unknown application has none and is no error."""
        answer = await self._door.ask(
            "application/config/detail", ConfigAnswer, {"applicationId": application_id}
        )
        return answer.application_configs

    async def set_config(self, application_id: str, key: str, values: Sequence[object]) -> None:
        """``application/config/create``: insert or replace one key."""
        await self._door.tell(
            "application/config/create", {"applicationId": application_id, "key": key, "values": values}
        )

    async def remove_config(self, application_id: str, key: str) -> None:
        """``application/config/remove``; a missing key is no error."""
        await self._door.tell("application/config/remove", {"applicationId": application_id, "key": key})

    async def _version(self, action: str, application_id: str, version: str) -> None:
        await self._door.tell(
            f"application/version/{action}",
            {"applicationId": application_id, "applicationVersionId": version},
        )

    async def _roles(self, action: str, application_id: str, roles: Sequence[str] | None) -> Sequence[str]:
        answer = await self._door.ask(
            f"application/roles/{action}",
            RolesAnswer,
            {"applicationId": application_id, "applicationRoles": roles},
        )
        return answer.application_roles


class Callbacks:
    """Calls below ``application/callback/``."""

    def __init__(self, door: CoreDoor) -> None:
        self._door = door

    async def list(self, application_id: str) -> Sequence[CallbackUrl]:
        """``application/callback/list`` by name; an unknown application has none and is no error."""
        answer = await self._door.ask(
            "application/callback/list",
            CallbackList,
            {"applicationId": application_id, "applicationIds": [application_id]},
        )
        return answer.callback_url_list

    async def create(self, application_id: str, members: Mapping[str, object]) -> CallbackUrl:
        """``application/callback/create`` with the callback's wire members."""
        return await self._save("create", application_id, members)

    async def update(
        self, application_id: str, callback_id: str, members: Mapping[str, object]
    ) -> CallbackUrl:
        """``application/callback/update``: all members are replaced, secrets that are missing are kept."""
        return await self._save("update", application_id, {"id": callback_id, **members})

    async def remove(self, application_id: str, callback_id: str) -> bool:
        """``application/callback/remove``; False for an id that is not one of the application."""
        answer = await self._door.ask(
            "application/callback/remove",
            RemovedAnswer,
            {"id": callback_id, "applicationIds": [application_id]},
        )
        return answer.removed

    async def _save(self, action: str, application_id: str, members: Mapping[str, object]) -> CallbackUrl:
        return await self._door.ask(
            f"application/callback/{action}",
            CallbackUrl,
            {"applicationId": application_id, "applicationIds": [application_id], **members},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditQuery:
    """The request of ``audit/log/list``. ``application_ids``: None = no restriction, never empty."""

    subject_id: str
    application_ids: Scope | None
    start: datetime
    end: datetime
    min_level: str
    types: Sequence[str] | None
    page_number: int
    page_size: int


class Reports:
    """What is asked about the core itself and its records."""

    def __init__(self, door: CoreDoor) -> None:
        self._door = door

    async def status(self) -> None:
        """``status``: raises when the core does not serve."""
        await self._door.tell("status", {})

    async def audit_log(self, query: AuditQuery) -> AuditLogAnswer:
        """``audit/log/list`` (spec/cloud-api.md §16), newest first."""
        return await self._door.ask(
            "audit/log/list",
            AuditLogAnswer,
            {
                "subjectId": query.subject_id,
                "applicationIds": query.application_ids,
                "types": query.types,
                "minLevel": query.min_level,
                "timestampFrom": wire_time(query.start),
                "timestampTo": wire_time(query.end),
                "pageNumber": query.page_number,
                "pageSize": query.page_size,
            },
        )

    async def telemetry(self, name: str, parameters: Mapping[str, Any]) -> TelemetryReport:
        """``telemetry/report``."""
        return await self._door.ask(
            "telemetry/report", TelemetryReport, {"name": name, "parameters": parameters}
        )
