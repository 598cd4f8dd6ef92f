"""Wire models of the clients and keys of signed tokens (spec/device-trust.md §2.5, §2.6)."""

from __future__ import annotations

from types import NoneType
from typing import Any

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.enums import ClientAuthMethod, SigningKeyStatus
from powerauth_contracts.fields import Name
from powerauth_contracts.rest.jwt import ClientId, ClientSettings
from powerauth_contracts.wire import EpochMillis, RequestModel, StatusResponse, WireModel


class SaveOidcClient(ClientSettings):
    """``PUT``: everything but the id; ``authMethod`` is the one that it was made with."""

    auth_method: ClientAuthMethod


class CreateOidcClient(SaveOidcClient):
    """``POST``; without an id it gets a random one."""

    client_id: ClientId | None = None


class OidcClient(WireModel):
    """A client; ``client_secret`` only in the answers that make one."""

    client_id: str
    auth_method: str
    grant_types: list[str]
    scopes: list[str]
    resources: list[str]
    jwks: dict[str, Any] | None = None
    access_token_typ: str
    use_app_keys: bool
    default_claims: dict[str, Any] | None = None
    access_ttl: int | None = None
    id_ttl: int | None = None
    refresh_ttl: int | None = None
    timestamp_created: EpochMillis
    client_secret: str | None = Field(default=None, repr=False)


class OidcClients(WireModel):
    clients: list[OidcClient]


class CreateSigningKey(RequestModel):
    """``POST``: a key that signs once the present one is due."""

    name: Name


class UploadSigningKey(RequestModel):
    """``POST …/upload``: a private RSA key."""

    name: Name
    jwk: dict[str, Any] = Field(repr=False)


class UpdateSigningKey(RequestModel):
    """``PUT``; what is missing stays."""

    status: SigningKeyStatus | None = None
    name: Name | None = None


class SigningKey(WireModel):
    """A key without its private part."""

    id: str
    kid: str
    name: str
    status: str
    source: str
    public_jwk: dict[str, Any]
    timestamp_created: EpochMillis
    timestamp_signing_from: EpochMillis | None = None
    timestamp_retired: EpochMillis | None = None


class SigningKeys(WireModel):
    keys: list[SigningKey]


_CLIENTS = "/admin/applications/{appId}/oidc-clients"
_CLIENT = f"{_CLIENTS}/{{clientId}}"
_OWN, _SHARED = "/admin/applications/{appId}/signing-keys", "/admin/signing-keys"

LIST_OIDC_CLIENTS = Endpoint("listOidcClients", "GET", _CLIENTS, NoneType, OidcClients)
CREATE_OIDC_CLIENT = Endpoint("createOidcClient", "POST", _CLIENTS, CreateOidcClient, OidcClient)
GET_OIDC_CLIENT = Endpoint("getOidcClient", "GET", _CLIENT, NoneType, OidcClient)
UPDATE_OIDC_CLIENT = Endpoint("updateOidcClient", "PUT", _CLIENT, SaveOidcClient, OidcClient)
REMOVE_OIDC_CLIENT = Endpoint("removeOidcClient", "DELETE", _CLIENT, NoneType, StatusResponse)
RENEW_OIDC_CLIENT_SECRET = Endpoint(
    "renewOidcClientSecret", "POST", f"{_CLIENT}/secret", NoneType, OidcClient
)

LIST_APPLICATION_SIGNING_KEYS = Endpoint("listApplicationSigningKeys", "GET", _OWN, NoneType, SigningKeys)
CREATE_APPLICATION_SIGNING_KEY = Endpoint(
    "createApplicationSigningKey", "POST", _OWN, CreateSigningKey, SigningKey
)
UPLOAD_APPLICATION_SIGNING_KEY = Endpoint(
    "uploadApplicationSigningKey", "POST", f"{_OWN}/upload", UploadSigningKey, SigningKey
)
UPDATE_APPLICATION_SIGNING_KEY = Endpoint(
    "updateApplicationSigningKey", "PUT", f"{_OWN}/{{keyId}}", UpdateSigningKey, SigningKey
)
REMOVE_APPLICATION_SIGNING_KEY = Endpoint(
    "removeApplicationSigningKey", "DELETE", f"{_OWN}/{{keyId}}", NoneType, StatusResponse
)
LIST_SIGNING_KEYS = Endpoint("listSigningKeys", "GET", _SHARED, NoneType, SigningKeys)
CREATE_SIGNING_KEY = Endpoint("createSigningKey", "POST", _SHARED, CreateSigningKey, SigningKey)
UPLOAD_SIGNING_KEY = Endpoint("uploadSigningKey", "POST", f"{_SHARED}/upload", UploadSigningKey, SigningKey)
UPDATE_SIGNING_KEY = Endpoint("updateSigningKey", "PUT", f"{_SHARED}/{{keyId}}", UpdateSigningKey, SigningKey)
REMOVE_SIGNING_KEY = Endpoint("removeSigningKey", "DELETE", f"{_SHARED}/{{keyId}}", NoneType, StatusResponse)
