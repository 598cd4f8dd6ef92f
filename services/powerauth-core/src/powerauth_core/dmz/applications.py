"""What an app may know of its application before anybody is known (spec/enrollment-api.md §16)."""

from __future__ import annotations

from powerauth_contracts.dmz.models import (
    ApplicationPublicAnswer,
    ApplicationPublicRequest,
    TextsAnswer,
    TextsRequest,
)
from powerauth_core.dmz.ports import Ports
from powerauth_core.templates.rules import etag_of
from powerauth_core.templates.texts import list_texts
from powerauth_core.templates.views import text_row


async def public(ports: Ports, request: ApplicationPublicRequest) -> ApplicationPublicAnswer:
    """``application/public``: what an app needs to start a login; never secret, token or key addresses.

    :raises InvalidApplication: unknown or unsupported application version
    :raises InvalidRequest: the application has no such provider
    """
    from powerauth_core.providers import oidc  # noqa: PLC0415 - heavy, where devices log in by a provider

    start = await oidc.login_start(ports, request.application_key, request.provider_id)
    return ApplicationPublicAnswer(
        provider_id=start.provider.provider_id,
        client_id=start.provider.client_id,
        scopes=start.provider.scopes,
        authorize_uri=start.authorize_uri,
        redirect_uri=start.provider.redirect_uri,
        pkce_enabled=start.provider.pkce_enabled,
    )


async def texts(ports: Ports, request: TextsRequest) -> TextsAnswer:
    """``texts``: an operation type in all languages.

    If nothing has changed since the caller got the etag that it names, the answer has no rows.
    """
    rows = [text_row(text) for text in await list_texts(ports.database, request.operation_type, None)]
    current = etag_of([list(row.model_dump().values()) for row in rows])
    unchanged = request.etag == current
    return TextsAnswer(etag=current, not_modified=unchanged, rows=[] if unchanged else rows)
