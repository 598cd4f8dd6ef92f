"""How campaigns are named and shown, without I/O (spec/cloud-api.md §9.4)."""

from __future__ import annotations

import re

from cloud_private_api.errors import NotFound
from powerauth_contracts.cloud.campaigns import Campaign, ShownMessage
from powerauth_contracts.push import campaigns as contract

_NUMBER = re.compile(r"[0-9]{1,10}", re.ASCII)
_LARGEST = 2**31 - 1


def number_of(campaign_id: str) -> int:
    """The number that push knows a campaign by.

    :raises NotFound: it can be none
    """
    if not _NUMBER.fullmatch(campaign_id) or int(campaign_id) > _LARGEST:
        raise NotFound
    return int(campaign_id)


def shown(found: contract.CampaignDetail) -> Campaign:
    """A campaign as the bank sees it."""
    body = found.message
    message = ShownMessage(title=body.title, message=body.body, sound=body.sound, extras=body.extras)
    return Campaign(campaign_id=found.id, app_id=found.app_id, sent=found.sent, message=message)
