"""Activations, their flags and history (spec/core-api.md §7)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cloud_private_api.core_client.models import (
    Activation,
    ActivationDetail,
    ActivationList,
    FlagsAnswer,
    HistoryAnswer,
    HistoryItem,
    InitAnswer,
)
from cloud_private_api.core_client.transport import CoreDoor
from powerauth_contracts import moments

PAGE_SIZE = 500
MAX_PAGES = 200

Scope = Sequence[str]
"""Application ids that the caller may see; a subject outside them is "not found" to the core (D21)."""


def wire_time(moment: datetime | None) -> int | None:
    """A moment as the core reads it: epoch milliseconds."""
    return None if moment is None else moments.to_ms(moment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The filter of ``activation/lookup``."""

    user_ids: Sequence[str]
    application_ids: Scope
    status: str | None = None
    flags: Sequence[str] | None = None
    last_used_before: datetime | None = None
    last_used_after: datetime | None = None


class Activations:
    """Calls below ``activation/``."""

    def __init__(self, door: CoreDoor) -> None:
        self._door = door

    async def init(
        self,
        *,
        user_id: str,
        application_id: str,
        otp: str | None,
        commit_phase: str | None,
        flags: Sequence[str] | None,
        expires: datetime | None,
    ) -> InitAnswer:
        """``activation/init``."""
        return await self._door.ask(
            "activation/init",
            InitAnswer,
            {
                "userId": user_id,
                "applicationId": application_id,
                "activationOtp": otp,
                "commitPhase": commit_phase,
                "flags": flags,
                "timestampActivationExpire": wire_time(expires),
            },
        )

    async def status(self, activation_id: str, scope: Scope) -> ActivationDetail | None:
        """``activation/status``; None for an id that is unknown or outside ``scope``."""
        answer = await self._door.ask(
            "activation/status", ActivationDetail, {"activationId": activation_id, "applicationIds": scope}
        )
        return answer if answer.application_id in scope else None

    async def list(
        self, *, user_id: str, scope: Scope, statuses: Sequence[str] | None = None
    ) -> list[Activation]:
        """All pages of ``activation/list`` for one user in some applications.

        No protocol filter is sent: the core applies it after paging, and a short page would look like the
        last.
        """
        found: list[Activation] = []
        for page in range(MAX_PAGES):
            answer = await self._door.ask(
                "activation/list",
                ActivationList,
                {
                    "userId": user_id,
                    "applicationIds": scope,
                    "activationStatuses": statuses,
                    "pageNumber": page,
                    "pageSize": PAGE_SIZE,
                },
            )
            found += (item for item in answer.activations if item.application_id in scope)
            if len(answer.activations) < PAGE_SIZE:
                break
        return found

    async def lookup(self, query: Lookup) -> Sequence[Activation]:
        """``activation/lookup``. ``application_ids`` must not be empty: the core reads that as "all"."""
        answer = await self._door.ask(
            "activation/lookup",
            ActivationList,
            {
                "userIds": query.user_ids,
                "applicationIds": query.application_ids,
                "activationStatus": query.status,
                "activationFlags": query.flags or None,
                "timestampLastUsedBefore": wire_time(query.last_used_before),
                "timestampLastUsedAfter": wire_time(query.last_used_after),
            },
        )
        return [item for item in answer.activations if item.application_id in query.application_ids]

    async def commit(
        self, activation_id: str, scope: Scope, *, otp: str | None, external_user_id: str | None
    ) -> None:
        """``activation/commit``."""
        await self._change("commit", activation_id, scope, activationOtp=otp, externalUserId=external_user_id)

    async def block(
        self, activation_id: str, scope: Scope, *, reason: str | None, external_user_id: str | None
    ) -> None:
        """``activation/block``."""
        await self._change("block", activation_id, scope, reason=reason, externalUserId=external_user_id)

    async def unblock(self, activation_id: str, scope: Scope, *, external_user_id: str | None) -> None:
        """``activation/unblock``."""
        await self._change("unblock", activation_id, scope, externalUserId=external_user_id)

    async def remove(
        self,
        activation_id: str,
        scope: Scope,
        *,
        external_user_id: str | None = None,
        revoke_recovery_codes: bool = True,
    ) -> None:
        """``activation/remove``."""
        await self._change(
            "remove",
            activation_id,
            scope,
            externalUserId=external_user_id,
            revokeRecoveryCodes=revoke_recovery_codes,
        )

    async def update_otp(
        self, activation_id: str, scope: Scope, *, otp: str, external_user_id: str | None
    ) -> None:
        """``activation/otp/update``."""
        await self._change(
            "otp/update", activation_id, scope, activationOtp=otp, externalUserId=external_user_id
        )

    async def update_name(
        self, activation_id: str, scope: Scope, *, name: str, external_user_id: str | None
    ) -> None:
        """``activation/name/update``."""
        await self._change(
            "name/update", activation_id, scope, activationName=name, externalUserId=external_user_id
        )

    async def history(
        self, activation_id: str, scope: Scope, *, start: datetime, end: datetime
    ) -> Sequence[HistoryItem]:
        """``activation/history``, newest first. An unknown id has no history and is no error."""
        answer = await self._door.ask(
            "activation/history",
            HistoryAnswer,
            {
                "activationId": activation_id,
                "applicationIds": scope,
                "timestampFrom": wire_time(start),
                "timestampTo": wire_time(end),
            },
        )
        return answer.items

    async def flags(self, activation_id: str, scope: Scope) -> Sequence[str]:
        """``activation/flags/list``."""
        return await self._flags("list", activation_id, scope, None)

    async def add_flags(self, activation_id: str, scope: Scope, flags: Sequence[str]) -> Sequence[str]:
        """``activation/flags/create``; all flags after the change."""
        return await self._flags("create", activation_id, scope, flags)

    async def replace_flags(self, activation_id: str, scope: Scope, flags: Sequence[str]) -> Sequence[str]:
        """``activation/flags/update``; ``flags`` must not be empty."""
        return await self._flags("update", activation_id, scope, flags)

    async def remove_flags(self, activation_id: str, scope: Scope, flags: Sequence[str]) -> Sequence[str]:
        """``activation/flags/remove``; the remaining flags."""
        return await self._flags("remove", activation_id, scope, flags)

    async def _change(self, action: str, activation_id: str, scope: Scope, **members: object) -> None:
        request = {"activationId": activation_id, "applicationIds": scope, **members}
        await self._door.tell(f"activation/{action}", request)

    async def _flags(
        self, action: str, activation_id: str, scope: Scope, flags: Sequence[str] | None
    ) -> Sequence[str]:
        answer = await self._door.ask(
            f"activation/flags/{action}",
            FlagsAnswer,
            {"activationId": activation_id, "applicationIds": scope, "activationFlags": flags},
        )
        return answer.activation_flags
