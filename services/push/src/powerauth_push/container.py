"""What one process of the service is made of."""

from __future__ import annotations

from dataclasses import dataclass

from powerauth_push.callers.service import CallerCache
from powerauth_push.core_client import CoreClient
from powerauth_push.settings import PushSettings
from powerauth_push.statements.service import Statements
from servicekit.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """The service's parts."""

    settings: PushSettings
    database: Database
    core: CoreClient
    callers: CallerCache
    statements: Statements
