"""HTTP of campaigns (spec/cloud-api.md §9.4)."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path, Query
from starlette.responses import Response

from cloud_private_api.campaigns import service
from cloud_private_api.campaigns.ports import Running
from cloud_private_api.parameters import Page, QueryBool, QueryInt
from cloud_private_api.routing import CallerDep, CloudRouter, answer
from powerauth_contracts.cloud import campaigns as contract
from powerauth_contracts.cloud.campaigns import CreateCampaign, TestCampaign, UserIds
from powerauth_contracts.wire import StatusResponse

router = CloudRouter("Campaigns")

CampaignIdPath = Annotated[str, Path(alias="id")]


@router.answers(contract.CREATE_CAMPAIGN)
async def create_campaign(ports: Running, caller: CallerDep, request: CreateCampaign) -> Response:
    """Make a campaign, which is sent later."""
    message = request.message
    made = await service.create(
        ports,
        caller,
        request.app_id,
        title=message.title,
        message=message.message,
        sound=message.sound,
        extras=message.extras,
    )
    return answer(made)


@router.answers(contract.LIST_CAMPAIGNS)
async def list_campaigns(
    ports: Running, caller: CallerDep, sent_too: Annotated[QueryBool, Query(alias="all")] = False
) -> Response:
    """Campaigns that were not sent yet, or all."""
    return answer(await service.list_all(ports, caller, sent_too=sent_too))


@router.answers(contract.GET_CAMPAIGN)
async def get_campaign(ports: Running, caller: CallerDep, campaign_id: CampaignIdPath) -> Response:
    """One campaign."""
    return answer(await service.detail(ports, caller, campaign_id))


@router.answers(contract.REMOVE_CAMPAIGN)
async def remove_campaign(ports: Running, caller: CallerDep, campaign_id: CampaignIdPath) -> Response:
    """Delete a campaign and its users."""
    await service.remove(ports, caller, campaign_id)
    return answer(StatusResponse())


@router.answers(contract.ADD_CAMPAIGN_USERS)
async def add_users(
    ports: Running, caller: CallerDep, campaign_id: CampaignIdPath, request: UserIds
) -> Response:
    """Add users to a campaign."""
    await service.add_users(ports, caller, campaign_id, request.users)
    return answer(StatusResponse())


@router.answers(contract.REMOVE_CAMPAIGN_USERS)
async def remove_users(
    ports: Running, caller: CallerDep, campaign_id: CampaignIdPath, request: UserIds
) -> Response:
    """Remove users from a campaign."""
    await service.remove_users(ports, caller, campaign_id, request.users)
    return answer(StatusResponse())


@router.answers(contract.LIST_CAMPAIGN_USERS)
async def list_users(
    ports: Running,
    caller: CallerDep,
    campaign_id: CampaignIdPath,
    page: Annotated[QueryInt, Query(ge=0, le=1_000_000)] = 0,
    size: Annotated[QueryInt, Query(ge=1, le=1000)] = 500,
) -> Response:
    """A page of the users of a campaign."""
    return answer(await service.users(ports, caller, campaign_id, Page(number=page, size=size)))


@router.answers(contract.SEND_CAMPAIGN)
async def send_campaign(ports: Running, caller: CallerDep, campaign_id: CampaignIdPath) -> Response:
    """Begin to send a campaign to its users."""
    await service.send(ports, caller, campaign_id)
    return answer(StatusResponse())


@router.answers(contract.TEST_CAMPAIGN)
async def test_campaign(
    ports: Running, caller: CallerDep, campaign_id: CampaignIdPath, request: TestCampaign
) -> Response:
    """Send what a campaign says to one user."""
    await service.test(ports, caller, campaign_id, request.user_id)
    return answer(StatusResponse())
