"""Use cases of campaigns (spec/cloud-api.md §9.4).

Push looks a campaign up by its number alone: whose it is is compared here, before anything is changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloud_private_api.access.rules import Caller, one_application
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.campaigns import rules
from cloud_private_api.campaigns.ports import Ports
from cloud_private_api.errors import InvalidRequest, NotFound, PushMessageRefused
from cloud_private_api.parameters import Page
from cloud_private_api.push_client import PushRefused
from powerauth_contracts.cloud.campaigns import Campaign, Campaigns, CampaignUsers, CreatedCampaign
from powerauth_contracts.push import campaigns as contract
from powerauth_contracts.push.calls import PushCall


async def create(
    ports: Ports,
    caller: Caller,
    app_id: str | None,
    *,
    title: str,
    message: str,
    sound: str | None,
    extras: Mapping[str, Any] | None,
) -> CreatedCampaign:
    """Make a campaign.

    :raises PushMessageRefused: push does not know the application, or refuses what the campaign says
    """
    chosen = one_application(caller, app_id)
    body = {"title": title, "body": message, "sound": sound, "extras": extras}
    try:
        made = await ports.push.ask(contract.CREATE, {"appId": chosen, "message": body})
    except PushRefused as refusal:
        raise PushMessageRefused(violations=refusal.violations) from None
    await _record(ports, caller, "Campaign created", made.id, chosen)
    return CreatedCampaign(campaign_id=made.id)


async def list_all(ports: Ports, caller: Caller, *, sent_too: bool) -> Campaigns:
    """The campaigns of the caller's applications."""
    if not caller.applications:
        return Campaigns(campaigns=[])
    found = await ports.push.ask(contract.LIST, {"all": sent_too})
    mine = [campaign for campaign in found if campaign.app_id in caller.applications]
    return Campaigns(campaigns=[rules.shown(campaign) for campaign in mine])


async def detail(ports: Ports, caller: Caller, campaign_id: str) -> Campaign:
    """One campaign."""
    return rules.shown(await _find(ports, caller, campaign_id))


async def remove(ports: Ports, caller: Caller, campaign_id: str) -> None:
    """Delete a campaign and its users."""
    await _change(ports, caller, campaign_id, contract.DELETE, "Campaign removed")


async def add_users(ports: Ports, caller: Caller, campaign_id: str, users: Sequence[str]) -> None:
    """Add users to a campaign."""
    await _change(ports, caller, campaign_id, contract.ADD_USERS, None, users)


async def remove_users(ports: Ports, caller: Caller, campaign_id: str, users: Sequence[str]) -> None:
    """Remove users from a campaign."""
    await _change(ports, caller, campaign_id, contract.DELETE_USERS, None, users)


async def users(ports: Ports, caller: Caller, campaign_id: str, page: Page) -> CampaignUsers:
    """A page of the users of a campaign."""
    found = await _find(ports, caller, campaign_id)
    asked = {"page": page.number, "size": page.size}
    listed = await ports.push.ask(contract.LIST_USERS, asked, number=found.id)
    return CampaignUsers(users=listed.users)


async def send(ports: Ports, caller: Caller, campaign_id: str) -> None:
    """Begin to send a campaign to its users."""
    await _change(ports, caller, campaign_id, contract.SEND_LIVE, "Campaign sent")


async def test(ports: Ports, caller: Caller, campaign_id: str, user_id: str) -> None:
    """Send what a campaign says to one user."""
    await _change(ports, caller, campaign_id, contract.SEND_TEST, None, {"userId": user_id})


async def _change(
    ports: Ports,
    caller: Caller,
    campaign_id: str,
    call: PushCall[Any, Any],
    recorded: str | None,
    asked: Mapping[str, object] | Sequence[str] | None = None,
) -> None:
    """
    :param recorded: what the audit says of it; None: nothing
    :raises InvalidRequest: push refuses: it was sent already, or there is nobody to send it to
    """
    found = await _find(ports, caller, campaign_id)
    try:
        await ports.push.tell(call, asked, number=found.id)
    except PushRefused:
        raise InvalidRequest(message="The campaign does not allow this") from None
    if recorded is not None:
        await _record(ports, caller, recorded, found.id, found.app_id)


async def _find(ports: Ports, caller: Caller, campaign_id: str) -> contract.CampaignDetail:
    """A campaign that the caller may see.

    :raises NotFound: unknown, or of no application of the caller
    """
    number = rules.number_of(campaign_id)
    if not caller.applications:
        raise NotFound
    try:
        found = await ports.push.ask(contract.DETAIL, number=number)
    except PushRefused:
        raise NotFound from None
    if found.app_id not in caller.applications:
        raise NotFound
    return found


async def _record(ports: Ports, caller: Caller, message: str, number: int, app_id: str) -> None:
    param = {"campaign": number, "applicationId": app_id}
    await record_change(ports.database, caller.username, message, param)
