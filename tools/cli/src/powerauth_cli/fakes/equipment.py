"""Applications that have credentials at the fake providers, so that their phones ring without a provider."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from powerauth_cli.fakes.stack import FakeProviders
from powerauth_cli.push_api import PushApi
from servicekit.bus import Event
from servicekit.bus.memory import InMemoryBus

_APPLICATION_CHANGED = "application.changed"
_KNOWN_BY = {"apns": ("bundle", "keyId", "teamId"), "fcm": ("projectId",)}
"""What tells whose credentials are that have a key, and can be read again (spec/push-api.md §17)."""


class Equipment:
    """Gives every application of a stack credentials at the fake providers, unless it has others.

    :ivar phones: those that ring then
    """

    def __init__(self, push: PushApi, fakes: FakeProviders) -> None:
        self.phones = fakes.phones
        self._push = push
        self._credentials = fakes.credentials()
        self._one_by_one = asyncio.Lock()

    async def start(self, bus: InMemoryBus, *, new_keys: bool = False) -> None:
        """Begin with the applications that there are, and hear of new ones.

        :param new_keys: the providers know those of earlier no more
        """
        await bus.subscribe_broadcast([_APPLICATION_CHANGED], self._on_event)
        unknown = (await self._push.call("GET", "/admin/app/unconfigured/list"))["applicationList"]
        for application in [*unknown, *await self._known()]:
            await self.equip(application["appId"])
            if new_keys:
                await self._renew(application["appId"])

    async def equip(self, app_id: str) -> None:
        """Begin with an application and give it credentials."""
        async with self._one_by_one:
            known = next((one for one in await self._known() if one["appId"] == app_id), None)
            if known is None:
                with contextlib.suppress(RuntimeError):  # somebody else begins with it at this moment
                    await self._push.call("POST", "/admin/app/create", {"appId": app_id})
            elif any(known[name] for name in self._credentials):
                return
            for name, members in self._credentials.items():
                await self._push.call("PUT", f"/admin/app/{name}", {"appId": app_id, **members})

    async def _renew(self, app_id: str) -> None:
        """Credentials at these providers get the new keys; others stay."""
        asked = {"appId": app_id, "includeApns": True, "includeFcm": True}
        stored = await self._push.call("POST", "/admin/app/detail", asked)
        for name, known_by in _KNOWN_BY.items():
            members = self._credentials[name]
            if all(stored.get(name + one[0].upper() + one[1:]) == members[one] for one in known_by):
                await self._push.call("PUT", f"/admin/app/{name}", {"appId": app_id, **members})

    async def _known(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._push.call("GET", "/admin/app/list"))["applicationList"]
        return found

    async def _on_event(self, event: Event) -> None:
        await self.equip(event.data["applicationId"])
