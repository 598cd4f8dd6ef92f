"""HTTP side of campaigns (spec/push-api.md §15)."""

from __future__ import annotations

from powerauth_contracts.push import campaigns as contract
from powerauth_contracts.push.calls import PageQuery
from powerauth_push.campaigns import service
from powerauth_push.campaigns.ports import Ports
from powerauth_push.campaigns.views import detail_view, progress_view
from powerauth_push.dispatch.stored import body_text
from powerauth_push.routing import Asked, PushRouter

router = PushRouter("Campaigns")


@router.answers(contract.CREATE)
async def create_campaign(
    ports: Ports, asked: Asked[contract.CreateCampaignRequest]
) -> contract.CreatedCampaign:
    number = await service.create(ports, asked.content.app_id, body_text(asked.content.message))
    return contract.CreatedCampaign(id=number)


@router.answers(contract.LIST)
async def list_campaigns(
    ports: Ports, asked: Asked[contract.ListCampaignsQuery]
) -> list[contract.CampaignDetail]:
    found = await service.list_all(ports.database, sent_too=asked.content.all)
    return [detail_view(*campaign) for campaign in found]


@router.answers(contract.DELETE)
async def delete_campaign(ports: Ports, asked: Asked[None]) -> contract.DeletedCampaign:
    return contract.DeletedCampaign(deleted=await service.delete(ports.database, asked.number))


@router.answers(contract.DETAIL)
async def campaign_detail(ports: Ports, asked: Asked[None]) -> contract.CampaignDetail:
    return detail_view(*await service.detail(ports.database, asked.number))


@router.answers(contract.PROGRESS)
async def campaign_progress(ports: Ports, asked: Asked[None]) -> contract.CampaignProgress:
    campaign, _app_id = await service.detail(ports.database, asked.number)
    return progress_view(campaign)


@router.answers(contract.ADD_USERS)
async def add_users(ports: Ports, asked: Asked[list[str]]) -> None:
    await service.add_users(ports.database, asked.number, asked.content)


@router.answers(contract.LIST_USERS)
async def list_users(ports: Ports, asked: Asked[PageQuery]) -> contract.Users:
    page = asked.content
    found = await service.list_users(ports.database, asked.number, page.number, page.length)
    return contract.Users(campaign_id=asked.number, users=list(found))


@router.answers(contract.DELETE_USERS)
async def delete_users(ports: Ports, asked: Asked[list[str]]) -> None:
    await service.remove_users(ports.database, asked.number, asked.content)


@router.answers(contract.SEND_TEST)
async def send_test(ports: Ports, asked: Asked[contract.TestCampaignRequest]) -> None:
    await service.send_test(ports, asked.number, asked.content.user_id)


@router.answers(contract.SEND_LIVE)
async def send_live(ports: Ports, asked: Asked[None]) -> None:
    await service.send_live(ports, asked.number)


@router.answers(contract.PAUSE)
async def pause_campaign(ports: Ports, asked: Asked[None]) -> None:
    await service.pause(ports.database, asked.number)


@router.answers(contract.RESUME)
async def resume_campaign(ports: Ports, asked: Asked[None]) -> None:
    await service.resume(ports, asked.number)


@router.answers(contract.CANCEL)
async def cancel_campaign(ports: Ports, asked: Asked[None]) -> None:
    await service.cancel(ports.database, asked.number)
