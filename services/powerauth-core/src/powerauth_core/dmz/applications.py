"""What an app may know of its application before anybody is known (spec/enrollment-api.md §16)."""

from __future__ import annotations

from powerauth_contracts.dmz.models import ApplicationPublicAnswer, ApplicationPublicRequest
from powerauth_core.dmz.ports import Ports
from powerauth_core.providers import oidc


async def public(ports: Ports, request: ApplicationPublicRequest) -> ApplicationPublicAnswer:
    """``application/public``: what an app needs to start a login; never secret, token or key addresses.

    :raises InvalidApplication: unknown or unsupported application version
    :raises InvalidRequest: the application has no such provider
    """
    start = await oidc.login_start(ports, request.application_key, request.provider_id)
    return ApplicationPublicAnswer(
        provider_id=start.provider.provider_id,
        client_id=start.provider.client_id,
        scopes=start.provider.scopes,
        authorize_uri=start.authorize_uri,
        redirect_uri=start.provider.redirect_uri,
        pkce_enabled=start.provider.pkce_enabled,
    )
