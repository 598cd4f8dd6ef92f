"""What one process of the service is made of."""

from __future__ import annotations

from dataclasses import dataclass

from powerauth_push.applications.known import ApplicationNumbers
from powerauth_push.callers.service import CallerCache
from powerauth_push.campaigns.stream import CampaignStream
from powerauth_push.cipher import SecretCipher
from powerauth_push.core_client import CoreClient
from powerauth_push.dispatch.dispatcher import Dispatcher
from powerauth_push.dispatch.senders import Senders
from powerauth_push.settings import PushSettings
from powerauth_push.statements.service import Statements
from servicekit.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """The service's parts."""

    settings: PushSettings
    database: Database
    core: CoreClient
    cipher: SecretCipher
    applications: ApplicationNumbers
    senders: Senders
    dispatcher: Dispatcher
    stream: CampaignStream
    callers: CallerCache
    statements: Statements
