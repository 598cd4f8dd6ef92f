"""The part of push in the demo: the phone registers, and what reaches it is shown."""

from __future__ import annotations

import asyncio
import secrets

from powerauth_cli.demo.bank import Bank
from powerauth_cli.demo.transcript import Transcript, Unexpected, expect
from powerauth_cli.fakes.equipment import Equipment
from powerauth_cli.fakes.phones import Shown
from powerauth_sdk import Device, Inbox, register_for_push

_SECONDS = 30.0
_TOKEN_BYTES = 32
_LETTER = {
    "subject": "New terms",
    "summary": "They hold from next year on.",
    "body": "<p>Nothing becomes more expensive.</p>",
}


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
        """Wait for a message of a kind; what the phone hears of earlier steps is not told.

        :raises Unexpected: none comes
        """
        try:
            async with asyncio.timeout(_SECONDS):
                shown = await self._next(f"mtoken.{kind}")
        except TimeoutError:
            raise Unexpected(f"nothing reaches the phone: {what}") from None
        self._tell.step("push", what, message=shown.text())

    async def _next(self, message_type: str) -> Shown:
        phones = self._equipment.phones
        while True:
            heard = await phones.wait(self._token, self._heard)
            self._heard = phones.count
            for shown in heard:
                if shown.extras.get("messageType") == message_type:
                    return shown

    async def write_to(self, user_id: str, bank: Bank, phone: Device) -> None:
        """The bank puts a message into the user's inbox; the phone hears of it and reads it."""
        self._tell.chapter("The bank writes to the customer")
        stored = await bank.call("POST", "/v2/inbox/messages", {"userId": user_id, "type": "html", **_LETTER})
        self._tell.step("cloud", "the bank puts a message into the inbox", message=stored["id"])
        await self.hear("the phone hears that there is something to read", "inboxMessage.new")
        inbox = Inbox(phone)
        unread = await inbox.count_unread()
        expect(unread == 1, "one message is unread")
        message = await inbox.message((await inbox.messages(only_unread=True))[0].id)
        expect((message.id, message.body) == (stored["id"], _LETTER["body"]), "it is the bank's message")
        await inbox.mark_read(message.id)
        expect(await inbox.count_unread() == 0, "it is read")
        self._tell.step("enrollment", "the customer reads it", subject=message.subject, body=message.body)
