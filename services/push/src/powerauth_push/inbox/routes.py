"""HTTP side of the inbox (spec/push-api.md §16). Where the core has said who asks, its ids are the ones."""

from __future__ import annotations

from powerauth_contracts.push import inbox as contract
from powerauth_push.inbox import service
from powerauth_push.inbox.ports import Ports
from powerauth_push.inbox.views import detail_view, item_view
from powerauth_push.routing import Asked, PushRouter

router = PushRouter("Inbox")


@router.answers(contract.CREATE)
async def create_message(
    ports: Ports, asked: Asked[contract.CreateInboxMessageRequest]
) -> contract.InboxMessageDetail:
    given = asked.content
    stored = await service.create(
        ports,
        user_id=given.user_id,
        kind=given.type.value,
        subject=given.subject,
        summary=given.summary,
        body=given.body,
        applications=given.applications,
        idempotency_key=asked.idempotency_key,
    )
    return detail_view(stored)


@router.answers(contract.LIST)
async def list_messages(
    ports: Ports, asked: Asked[contract.ListInboxQuery]
) -> list[contract.InboxMessageItem]:
    given, subject = asked.content, asked.subject
    found = await service.page(
        ports,
        subject.user_id if subject else given.user_id,
        [subject.application_id] if subject else given.application_ids,
        only_unread=given.only_unread,
        number=given.number,
        size=given.length,
    )
    return [item_view(message) for message in found]


@router.answers(contract.COUNT)
async def count_messages(ports: Ports, asked: Asked[contract.CountInboxQuery]) -> contract.UnreadCount:
    given, subject = asked.content, asked.subject
    user_id = subject.user_id if subject else given.user_id
    app_id = subject.application_id if subject else given.app_id
    return contract.UnreadCount(count_unread=await service.count_unread(ports, user_id, app_id))


@router.answers(contract.DETAIL)
async def message_detail(
    ports: Ports, asked: Asked[contract.InboxMessageQuery]
) -> contract.InboxMessageDetail:
    return detail_view(await service.detail(ports, asked.content.id, asked.subject))


@router.answers(contract.READ)
async def read_message(
    ports: Ports, asked: Asked[contract.ReadMessageRequest]
) -> contract.InboxMessageDetail:
    return detail_view(await service.read(ports, asked.content.inbox_id, asked.subject))


@router.answers(contract.READ_ALL)
async def read_all_messages(ports: Ports, asked: Asked[contract.ReadAllRequest]) -> None:
    given, subject = asked.content, asked.subject
    user_id = subject.user_id if subject else given.user_id
    app_id = subject.application_id if subject else given.app_id
    await service.read_all(ports, user_id, app_id)
