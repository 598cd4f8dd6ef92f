"""The part of push in the demo: the phone registers, and what reaches it is shown."""

from __future__ import annotations

import asyncio
import secrets

from powerauth_cli.demo.transcript import Transcript, Unexpected, expect
from powerauth_cli.fakes.equipment import Equipment
from powerauth_sdk import Device, register_for_push

_SECONDS = 30.0
_TOKEN_BYTES = 32


class Ringing:
    """One phone behind fake providers."""

    def __init__(self, tell: Transcript, equipment: Equipment) -> None:
        self._tell = tell
        self._equipment = equipment
        self._token = secrets.token_hex(_TOKEN_BYTES)
        self._heard = 0

    async def equip(self, application_id: str) -> None:
        """Push can send to the application's phones."""
        await self._equipment.equip(application_id)
        self._tell.step("push", "… with credentials at Apple, Google and Huawei, which are fakes here")

    async def register(self, phone: Device) -> None:
        """The phone gets messages from now on."""
        await register_for_push(phone, "apns", self._token, "production")
        self._tell.step(
            "enrollment",
            "the phone registers for push messages; push learns whose it is from the core's signature",
            push_token=f"{self._token[:8]}…",
        )

    async def hear(self, what: str, kind: str) -> None:
        """The next message that reaches the phone is of a kind.

        :raises Unexpected: it is another one, or none comes
        """
        phones = self._equipment.phones
        try:
            async with asyncio.timeout(_SECONDS):
                shown = (await phones.wait(self._token, self._heard))[0]
        except TimeoutError:
            raise Unexpected(f"nothing reaches the phone: {what}") from None
        self._heard = phones.count
        expect(shown.extras.get("messageType") == f"mtoken.{kind}", f"the message is {kind}")
        self._tell.step("push", what, message=shown.text())
