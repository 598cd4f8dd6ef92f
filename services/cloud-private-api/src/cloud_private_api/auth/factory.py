"""Chooses how callers prove who they are: one way at a time (spec/cloud-api.md §1.3)."""

from __future__ import annotations

from cloud_private_api.accounts.directory import UserDirectory
from cloud_private_api.audit_log.logins import FailedLogins
from cloud_private_api.auth.authenticator import Authenticator
from cloud_private_api.auth.basic import BasicAuthenticator
from cloud_private_api.auth.limits import FailureLimit
from cloud_private_api.passwords import PasswordWorker
from cloud_private_api.settings import CloudSettings
from servicekit.database import Database


def authenticator(
    settings: CloudSettings, database: Database, directory: UserDirectory, passwords: PasswordWorker
) -> Authenticator:
    """The configured way."""
    if settings.security_auth_type == "OAUTH2":
        from cloud_private_api.auth.bearer import BearerAuthenticator  # noqa: PLC0415 - heavy, one of two

        return BearerAuthenticator(settings, directory)
    return BasicAuthenticator(
        directory,
        FailedLogins(database),
        passwords,
        remember_seconds=settings.security_auth_basic_cache_seconds,
        per_address=FailureLimit(settings.security_auth_basic_failures_per_address),
        per_name_and_address=FailureLimit(settings.security_auth_basic_failures_per_name),
    )
