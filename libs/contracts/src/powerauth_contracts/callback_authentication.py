"""How the core authenticates to a callback URL: a value that is stored in the form in which it is given
(spec/core-api.md §18.1).
"""

from __future__ import annotations

from pydantic import AliasChoices, Field

from powerauth_contracts.fields import Switch
from powerauth_contracts.wire import RequestModel

SECRET_FIELDS = {
    "certificate": ("key_store_password", "key_password", "trust_store_password"),
    "http_basic": ("password",),
    "oauth2": ("client_secret",),
}
"""The secrets of each section of `HttpAuthenticationPrivate`."""


class CertificateAuthentication(RequestModel):
    """Client certificate and trust store; locations are files of the configured directory."""

    enabled: Switch = False
    use_custom_key_store: Switch = False
    key_store_location: str | None = None
    key_store_password: str | None = Field(default=None, repr=False)
    key_alias: str | None = None
    key_password: str | None = Field(default=None, repr=False)
    use_custom_trust_store: Switch = False
    trust_store_location: str | None = None
    trust_store_password: str | None = Field(default=None, repr=False)


class HttpBasicAuthentication(RequestModel):
    """HTTP Basic credentials."""

    enabled: Switch = False
    username: str | None = None
    password: str | None = Field(default=None, repr=False)


class OAuth2Authentication(RequestModel):
    """OAuth 2.0 client credentials."""

    enabled: Switch = False
    token_uri: str | None = None
    client_id: str | None = None
    client_secret: str | None = Field(default=None, repr=False)
    scope: str | None = None


class HttpAuthenticationPrivate(RequestModel):
    """How to authenticate to a callback URL, with secrets: request form and stored form."""

    certificate: CertificateAuthentication | None = None
    http_basic: HttpBasicAuthentication | None = None
    oauth2: OAuth2Authentication | None = Field(
        default=None, validation_alias=AliasChoices("oauth2", "oAuth2"), serialization_alias="oauth2"
    )
