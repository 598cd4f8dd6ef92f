"""What one process of the service is made of."""

from __future__ import annotations

from dataclasses import dataclass

from cloud_private_api.accounts.directory import UserDirectory
from cloud_private_api.auth.authenticator import Authenticator
from cloud_private_api.core_client import CoreClient
from cloud_private_api.known import ApplicationFacts, OperationTexts, PushApplications
from cloud_private_api.localizations.texts import PushTexts
from cloud_private_api.passwords import PasswordWorker
from cloud_private_api.push_client import PushClient
from cloud_private_api.pushes.outbox import Outbox
from cloud_private_api.pushes.service import Announcements
from cloud_private_api.settings import CloudSettings
from servicekit.callers import TrustedProxies
from servicekit.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Cloud:
    """The service's parts."""

    settings: CloudSettings
    database: Database
    core: CoreClient
    push: PushClient
    authenticator: Authenticator
    users: UserDirectory
    passwords: PasswordWorker
    proxies: TrustedProxies
    applications: ApplicationFacts
    texts: OperationTexts
    push_applications: PushApplications
    push_texts: PushTexts
    outbox: Outbox
    announcements: Announcements
