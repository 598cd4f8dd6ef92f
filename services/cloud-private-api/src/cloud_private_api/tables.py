"""All tables of this service in one place: what migrations are compared with."""

from sqlalchemy import MetaData

from cloud_private_api.accounts.models import User, UserApplication, UserAuthority
from cloud_private_api.audit_log.models import AuditLog
from cloud_private_api.base import Base
from cloud_private_api.localizations.models import Localization
from cloud_private_api.properties.models import Property
from cloud_private_api.pushes.models import PushOutbox
from cloud_private_api.registrations.models import SingleDeviceRegistration

__all__ = [
    "METADATA",
    "AuditLog",
    "Localization",
    "Property",
    "PushOutbox",
    "SingleDeviceRegistration",
    "User",
    "UserApplication",
    "UserAuthority",
]

METADATA: MetaData = Base.metadata
