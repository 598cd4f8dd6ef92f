"""Wire models of the signed tokens' calls (spec/device-trust.md §2); MAC tokens have calls of their own."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from powerauth_contracts.calls import Call
from powerauth_contracts.enums import ClientAuthMethod, OidcGrant, SigningKeyStatus
from powerauth_contracts.fields import ExactRequiredText, FreeText, Name, RequiredText
from powerauth_contracts.wire import CoreDateTime, RequestModel, WireModel

MAX_SIGNED_TOKEN = 8_192
TokenText = Annotated[ExactRequiredText, Field(max_length=MAX_SIGNED_TOKEN)]
"""A signed token or a refresh token."""
Word = Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]{1,255}$")]
"""A scope, resource or method: no space, quote or backslash (RFC 6749 §3.3)."""
ClientId = Annotated[str, Field(pattern=r"^[A-Za-z0-9._~-]{1,255}$")]
TokenLife = Annotated[int, Field(ge=60, le=86_400)]
"""How long tokens are valid, in seconds."""
_MAX_WORDS = 100
_MAX_DEFAULT_TEXT = 255
CLAIMED_LISTS = ("groups", "roles", "permissions")


def _without_duplicates(words: list[Any]) -> list[Any]:
    if len(set(words)) != len(words):
        raise PydanticCustomError("not_unique", "must be unique")
    return words


Words = Annotated[list[Word], Field(max_length=_MAX_WORDS), AfterValidator(_without_duplicates)]


class IssueRequest(RequestModel):
    """``jwt/issue``: the caller vouches that the user was there, and how."""

    application_id: Name
    user_id: Name
    client_id: FreeText | None = None
    username: FreeText | None = None
    amr: Words
    acr: FreeText | None = None
    auth_time: CoreDateTime | None = None
    activation_id: Annotated[str, Field(max_length=37)] | None = None
    scope: FreeText | None = None
    nonce: FreeText | None = None
    resource: FreeText | None = None
    client_parameters: dict[str, Any] | None = None
    session_id: FreeText | None = None
    application_ids: list[str] | None = None


class TokenAnswer(WireModel):
    """Tokens (§2.2); ``expires_in`` in seconds."""

    access_token: str = Field(repr=False)
    id_token: str | None = Field(default=None, repr=False)
    refresh_token: str | None = Field(default=None, repr=False)
    token_type: str = "Bearer"  # noqa: S105 a type
    expires_in: int
    session_id: str | None = None
    scope: str


class RefreshRequest(RequestModel):
    """``jwt/refresh``: the caller vouches for the client."""

    client_id: ClientId
    refresh_token: TokenText = Field(repr=False)
    scope: FreeText | None = None
    resource: FreeText | None = None
    application_ids: list[str] | None = None


class IntrospectRequest(RequestModel):
    """``jwt/introspect``."""

    token: TokenText = Field(repr=False)
    application_ids: list[str] | None = None


class IntrospectResponse(WireModel):
    """Whether an access token is in force, and then its claims."""

    active: bool
    claims: dict[str, Any] | None = None


class RevokeRequest(RequestModel):
    """``jwt/revoke``: a token, a sign-in, or all that a user was issued, of one application or of all."""

    token: TokenText | None = Field(default=None, repr=False)
    session_id: FreeText | None = None
    user_id: FreeText | None = None
    application_id: FreeText | None = None
    application_ids: list[str] | None = None

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if sum(each is not None for each in (self.token, self.session_id, self.user_id)) != 1:
            raise PydanticCustomError("one_subject", "must name one of token, sessionId and userId")
        return self


class RevokeResponse(WireModel):
    """Whether there was something to take back."""

    revoked: bool


class KeysRequest(RequestModel):
    """Calls about the keys of an application; without ``application_id`` about those of all others."""

    application_id: Name | None = None
    application_ids: list[str] | None = None


class CreateKeyRequest(KeysRequest):
    """``jwt/keys/create``."""

    name: Name


class UploadKeyRequest(KeysRequest):
    """``jwt/keys/upload``: a private RSA key."""

    name: Name
    jwk: dict[str, Any] = Field(repr=False)


class UpdateKeyRequest(KeysRequest):
    """``jwt/keys/update``."""

    id: RequiredText
    status: SigningKeyStatus | None = None
    name: Name | None = None


class RemoveKeyRequest(KeysRequest):
    """``jwt/keys/remove``."""

    id: RequiredText


class SigningKeyDetail(WireModel):
    """A signing key without its private part."""

    id: str
    application_id: str | None
    kid: str
    name: str
    status: str
    source: str
    public_jwk: dict[str, Any]
    timestamp_created: CoreDateTime
    timestamp_signing_from: CoreDateTime | None
    timestamp_retired: CoreDateTime | None


class KeysAnswer(WireModel):
    """Signing keys, the oldest first."""

    keys: list[SigningKeyDetail]


class DefaultClaims(RequestModel):
    """Claims that a client's ID tokens always have; ``roles`` its access tokens too."""

    groups: Words | None = None
    roles: Words | None = None
    permissions: Words | None = None
    organization: Annotated[str, Field(min_length=1, max_length=_MAX_DEFAULT_TEXT)] | None = None


class ClientSettings(RequestModel):
    """What a client is allowed; lives in seconds, without one as the service is set."""

    grant_types: Annotated[list[OidcGrant], Field(min_length=1), AfterValidator(_without_duplicates)]
    scopes: Words = Field(default_factory=list)
    resources: Words = Field(default_factory=list)
    jwks: dict[str, Any] | None = None
    access_token_typ: Literal["at+jwt", "JWT"] = "at+jwt"  # noqa: S105 a type
    use_app_keys: bool = False
    default_claims: DefaultClaims | None = None
    access_ttl: TokenLife | None = None
    id_ttl: TokenLife | None = None
    refresh_ttl: Annotated[int, Field(ge=60, le=31_536_000)] | None = None


class ClientsRequest(RequestModel):
    """``jwt/clients/list``."""

    application_id: Name
    application_ids: list[str] | None = None


class ClientRequest(ClientsRequest):
    """``jwt/clients/detail``, ``jwt/clients/secret``, ``jwt/clients/remove``."""

    client_id: RequiredText


class CreateClientRequest(ClientSettings, ClientsRequest):
    """``jwt/clients/create``; without an id it gets a random one."""

    client_id: ClientId | None = None
    auth_method: ClientAuthMethod


class UpdateClientRequest(ClientSettings, ClientRequest):
    """``jwt/clients/update``: everything but the id and the method is replaced."""

    auth_method: ClientAuthMethod


class ClientDetail(WireModel):
    """A client without its secret."""

    client_id: str
    application_id: str
    auth_method: str
    grant_types: list[str]
    scopes: list[str]
    resources: list[str]
    jwks: dict[str, Any] | None
    access_token_typ: str
    use_app_keys: bool
    default_claims: dict[str, Any] | None
    access_ttl: int | None
    id_ttl: int | None
    refresh_ttl: int | None
    timestamp_created: CoreDateTime


class ClientSecretDetail(ClientDetail):
    """A client with its secret, which nobody can read again."""

    client_secret: str | None = Field(repr=False)


class ClientsAnswer(WireModel):
    """Clients, by id."""

    clients: list[ClientDetail]


ISSUE = Call(
    "/rest/v3/jwt/issue",
    IssueRequest,
    TokenAnswer,
    "Issue tokens of a user whose presence the caller vouches for.",
)
REFRESH = Call("/rest/v3/jwt/refresh", RefreshRequest, TokenAnswer, "Issue tokens of a session again.")
INTROSPECT = Call(
    "/rest/v3/jwt/introspect", IntrospectRequest, IntrospectResponse, "Whether an access token is in force."
)
REVOKE = Call("/rest/v3/jwt/revoke", RevokeRequest, RevokeResponse, "Take tokens back.")
KEYS_LIST = Call("/rest/v3/jwt/keys/list", KeysRequest, KeysAnswer, "Keys that sign tokens.")
KEYS_CREATE = Call(
    "/rest/v3/jwt/keys/create", CreateKeyRequest, SigningKeyDetail, "Make a key that signs next."
)
KEYS_UPLOAD = Call(
    "/rest/v3/jwt/keys/upload", UploadKeyRequest, SigningKeyDetail, "Take a key that was made elsewhere."
)
KEYS_UPDATE = Call(
    "/rest/v3/jwt/keys/update", UpdateKeyRequest, SigningKeyDetail, "Give a key another state or name."
)
KEYS_REMOVE = Call("/rest/v3/jwt/keys/remove", RemoveKeyRequest, NoneType, "Delete a disabled key.")
CLIENTS_LIST = Call("/rest/v3/jwt/clients/list", ClientsRequest, ClientsAnswer, "Clients of an application.")
CLIENTS_DETAIL = Call("/rest/v3/jwt/clients/detail", ClientRequest, ClientDetail, "One client.")
CLIENTS_CREATE = Call(
    "/rest/v3/jwt/clients/create", CreateClientRequest, ClientSecretDetail, "Make a client."
)
CLIENTS_UPDATE = Call(
    "/rest/v3/jwt/clients/update", UpdateClientRequest, ClientDetail, "Replace what a client is allowed."
)
CLIENTS_SECRET = Call(
    "/rest/v3/jwt/clients/secret", ClientRequest, ClientSecretDetail, "Give a client another secret."
)
CLIENTS_REMOVE = Call(
    "/rest/v3/jwt/clients/remove",
    ClientRequest,
    NoneType,
    "Remove a client, and take back what was issued to it.",
)
