"""Campaigns as the wire shows them."""

from __future__ import annotations

from powerauth_contracts.push import campaigns as contract
from powerauth_contracts.push.messages import MessageBody
from powerauth_push.campaigns.models import Campaign
from servicekit import clock


def detail_view(campaign: Campaign, app_id: str) -> contract.CampaignDetail:
    """A campaign with its message."""
    return contract.CampaignDetail(
        id=campaign.id,
        app_id=app_id,
        sent=campaign.is_sent,
        message=MessageBody.model_validate_json(campaign.message),
    )


def progress_view(campaign: Campaign) -> contract.CampaignProgress:
    """How far it has come."""
    known = campaign.sent_count + campaign.failed_count
    return contract.CampaignProgress(
        id=campaign.id,
        state=contract.CampaignState(campaign.state),
        queued=campaign.queued_count,
        sent=campaign.sent_count,
        failed=campaign.failed_count,
        pending=max(campaign.queued_count - known, 0),
        rate=_rate(campaign, known),
        timestamp_sent=campaign.timestamp_sent,
        timestamp_completed=campaign.timestamp_completed,
    )


def _rate(campaign: Campaign, known: int) -> int:
    if campaign.timestamp_sent is None:
        return 0
    lasted = ((campaign.timestamp_completed or clock.now()) - campaign.timestamp_sent).total_seconds()
    return round(known / max(lasted, 1.0))
