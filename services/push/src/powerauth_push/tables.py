"""All tables of this service in one place: what migrations are compared with."""

from sqlalchemy import MetaData

from powerauth_push.applications.models import AppCredentials
from powerauth_push.base import Base
from powerauth_push.callers.models import Integration
from powerauth_push.campaigns.models import Campaign, CampaignUser, PassedOver, RemovedUser
from powerauth_push.devices.models import DeviceRegistration
from powerauth_push.dispatch.models import Delivery, MessageRecord
from powerauth_push.inbox.models import InboxApplication, InboxMessage
from powerauth_push.master_key.models import MasterKeyRecord
from powerauth_push.statements.models import StatementUse

__all__ = [
    "METADATA",
    "AppCredentials",
    "Campaign",
    "CampaignUser",
    "Delivery",
    "DeviceRegistration",
    "InboxApplication",
    "InboxMessage",
    "Integration",
    "MasterKeyRecord",
    "MessageRecord",
    "PassedOver",
    "RemovedUser",
    "StatementUse",
]

METADATA: MetaData = Base.metadata
