"""How a callback looks to callers: never with its secrets (spec/core-api.md §18.1)."""

from __future__ import annotations

from powerauth_contracts.callback_authentication import (
    CertificateAuthentication,
    HttpAuthenticationPrivate,
    HttpBasicAuthentication,
    OAuth2Authentication,
)
from powerauth_contracts.rest.callbacks import (
    CallbackUrlDetail,
    CertificatePublic,
    HttpAuthenticationPublic,
    HttpBasicPublic,
    OAuth2Public,
)
from powerauth_core.callbacks.administration import Configured
from powerauth_core.callbacks.clients import retry_policy
from powerauth_core.settings import CoreSettings


def callback_view(settings: CoreSettings, callback: Configured) -> CallbackUrlDetail:
    """A callback, with the configured defaults where it has no value of its own."""
    row = callback.row
    policy = retry_policy(settings, row)
    return CallbackUrlDetail(
        id=row.id,
        application_id=callback.application_id,
        name=row.name,
        type=row.type,
        callback_url=row.callback_url,
        attributes=list(row.attributes or ()),
        authentication=_public_form(callback.authentication),
        retention_period=policy.retention,
        initial_backoff=policy.initial_backoff,
        max_attempts=policy.max_attempts,
    )


def _public_form(authentication: HttpAuthenticationPrivate) -> HttpAuthenticationPublic:
    """What answers may show; a section that is not set is one that is switched off."""
    certificate = authentication.certificate or CertificateAuthentication()
    basic = authentication.http_basic or HttpBasicAuthentication()
    oauth2 = authentication.oauth2 or OAuth2Authentication()
    return HttpAuthenticationPublic(
        certificate=CertificatePublic(
            enabled=certificate.enabled,
            use_custom_key_store=certificate.use_custom_key_store,
            key_store_location=certificate.key_store_location,
            key_store_password_set=bool(certificate.key_store_password),
            key_alias=certificate.key_alias,
            key_password_set=bool(certificate.key_password),
            use_custom_trust_store=certificate.use_custom_trust_store,
            trust_store_location=certificate.trust_store_location,
            trust_store_password_set=bool(certificate.trust_store_password),
        ),
        http_basic=HttpBasicPublic(
            enabled=basic.enabled, username=basic.username, password_set=bool(basic.password)
        ),
        oauth2=OAuth2Public(
            enabled=oauth2.enabled,
            token_uri=oauth2.token_uri,
            client_id=oauth2.client_id,
            client_secret_set=bool(oauth2.client_secret),
            scope=oauth2.scope,
        ),
    )
