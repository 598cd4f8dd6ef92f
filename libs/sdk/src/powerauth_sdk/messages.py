"""Push registration and the inbox, both with the universal token (spec/enrollment-api.md §13, §14)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from powerauth_sdk.device import Device
from powerauth_sdk.errors import UnexpectedAnswer
from powerauth_sdk.transport import request_object

_INBOX = "/api/inbox"


@dataclass(frozen=True, slots=True)
class Message:
    """A message as a list shows it; `body` only when it was asked for by its id.

    :ivar kind: ``text`` or ``html``
    :ivar created: as the server writes it, e.g. ``2025-01-01T00:00:00+0000``
    """

    id: str
    kind: str
    subject: str
    summary: str
    read: bool
    created: str
    body: str | None = None

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Message:
        """Read one message of an answer."""
        return cls(
            id=content["id"],
            kind=content["type"],
            subject=content["subject"],
            summary=content["summary"],
            read=content["read"],
            created=content["timestampCreated"],
            body=content.get("body"),
        )


async def register_for_push(
    device: Device, platform: str, push_token: str, environment: str | None = None
) -> None:
    """Have push messages for this activation sent to this phone.

    :param platform: ``apns``, ``fcm`` or ``hms``
    :param push_token: what the platform gave the application
    :param environment: ``development`` or ``production``, APNs only
    :raises ServerRefused: the registration is not possible; HTTP 404 where there is no push service
    """
    body = request_object(platform=platform, token=push_token, environment=environment)
    await device.token_call("/api/push/device/register", body)


class Inbox:
    """The messages to a device's user.

    Every method raises `ServerRefused` where the server has no inbox (HTTP 404).
    """

    def __init__(self, device: Device) -> None:
        self._device = device

    async def count_unread(self) -> int:
        """How many messages are unread."""
        answer = await self._device.token_call(f"{_INBOX}/count")
        return int(answer["responseObject"]["countUnread"])

    async def messages(self, *, page: int = 0, size: int = 50, only_unread: bool = False) -> list[Message]:
        """One page of messages, newest first.

        :param page: from 0
        :param size: 1 to 100
        """
        body = request_object(page=page, size=size, onlyUnread=only_unread)
        answer = await self._device.token_call(f"{_INBOX}/message/list", body)
        return [Message.from_json(item) for item in answer["responseObject"]]

    async def message(self, message_id: str) -> Message:
        """One message with its body.

        :raises ServerRefused: there is no such message for this user
        """
        answer = await self._device.token_call(f"{_INBOX}/message/detail", request_object(id=message_id))
        content = answer.get("responseObject")
        if not isinstance(content, dict):
            raise UnexpectedAnswer("the answer has no message")
        return Message.from_json(content)

    async def mark_read(self, message_id: str) -> None:
        """Mark one message as read."""
        await self._device.token_call(f"{_INBOX}/message/read", request_object(id=message_id))

    async def mark_all_read(self) -> None:
        """Mark all messages as read."""
        await self._device.token_call(f"{_INBOX}/message/read-all")
