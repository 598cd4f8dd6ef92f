"""Wire models of the dmz door's passkey calls (spec/device-trust.md §4.9, D1): binary members are Base64.

A caller's proof travels as it came, and the core judges it. RP id, origins, policy and limits stand in no
request.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from powerauth_contracts.dmz.models import SignatureHeaderFields, SignedAnswer
from powerauth_contracts.fields import ExactRequiredText
from powerauth_contracts.wire import ExactLongText, ExactText, PlainModel, RequestModel

MAX_CREDENTIAL_ID = 1364
"""Characters of Base64 of 1023 bytes, the longest id that WebAuthn allows."""
MAX_NAME = 64
MAX_TOKEN = 8192
MAX_OPTION = 255

Binary = Annotated[ExactText, Field(max_length=65_536)]
Id = Annotated[ExactRequiredText, Field(max_length=255)]
Option = Annotated[ExactText, Field(max_length=MAX_OPTION)]
AccessToken = Annotated[ExactText, Field(max_length=MAX_TOKEN)]
SessionId = Annotated[ExactRequiredText, Field(max_length=43)]
Attachment = Literal["platform", "cross-platform"]
Credential = Literal["public-key"]


class SeenRequest(RequestModel):
    """What enrollment saw of the client's connection: for limits and audit, never decisive."""

    client_address: str | None = Field(default=None, max_length=256)
    user_agent: str | None = Field(default=None, max_length=256)


class PasskeyRegistrationOptionsRequest(SeenRequest):
    """``passkey/registration/options``: one proof, and the body as received, which a signature covers.

    The ticket stands in the body.
    """

    authorization: SignatureHeaderFields | None = None
    access_token: AccessToken | None = Field(default=None, repr=False)
    body: ExactLongText = ""


class AttestationFields(RequestModel):
    """AuthenticatorAttestationResponse."""

    client_data_json: Binary = Field(alias="clientDataJSON")
    attestation_object: Binary
    transports: list[Annotated[ExactText, Field(max_length=32)]] = Field(default_factory=list, max_length=16)


class AssertionFields(RequestModel):
    """AuthenticatorAssertionResponse."""

    client_data_json: Binary = Field(alias="clientDataJSON")
    authenticator_data: Binary
    signature: Binary
    user_handle: Annotated[ExactText, Field(max_length=88)] | None = None


class CredentialFields(RequestModel):
    """What both kinds of PublicKeyCredential have in common; attachment is unsigned and decides nothing."""

    credential_id: Annotated[ExactRequiredText, Field(max_length=MAX_CREDENTIAL_ID)]
    type: ExactText = Field(max_length=32)
    authenticator_attachment: Annotated[ExactText, Field(max_length=32)] | None = None


class AttestedCredential(CredentialFields):
    """The browser's answer to a registration."""

    response: AttestationFields


class AssertedCredential(CredentialFields):
    """The browser's answer to a sign-in."""

    response: AssertionFields


class PasskeyRegistrationRequest(SeenRequest):
    """``passkey/registration``."""

    registration_id: SessionId = Field(repr=False)
    name: Annotated[ExactRequiredText, Field(max_length=MAX_NAME)]
    credential: AttestedCredential


class PasskeyAssertionOptionsRequest(SeenRequest):
    """``passkey/assertion/options``: `user_id` is a login hint, which decides nothing (D1 rule 1).

    :ivar timeout: seconds
    """

    access_token: AccessToken | None = Field(default=None, repr=False)
    application_id: Id
    user_id: Id | None = None
    operation_id: Annotated[ExactRequiredText, Field(max_length=37)] | None = None
    client_id: Option | None = None
    nonce: Option | None = None
    scope: Annotated[ExactText, Field(max_length=1024)] | None = None
    resource: Option | None = None
    client_parameters: dict[Option, Option] | None = Field(default=None, max_length=20)
    timeout: int = Field(default=300, ge=30, le=600)


class PasskeyAssertionRequest(SeenRequest):
    """``passkey/assertion``."""

    session_id: SessionId = Field(repr=False)
    credential: AssertedCredential


class PasskeyListRequest(SeenRequest):
    """``passkey/list``: the passkeys of the token's user in its application."""

    access_token: AccessToken = Field(repr=False)


class PasskeyRenameRequest(PasskeyListRequest):
    """``passkey/rename``."""

    activation_id: Id
    name: Annotated[ExactRequiredText, Field(max_length=MAX_NAME)]


class PasskeyRemoveRequest(PasskeyListRequest):
    """``passkey/remove``."""

    activation_id: Id


class RelyingParty(PlainModel):
    """Who asks."""

    id: str
    name: str


class PasskeyUser(PlainModel):
    """Whom the passkey will belong to, as authenticators know them."""

    id: str
    name: str
    display_name: str


class KeyParameters(PlainModel):
    """A kind of key, by its COSE identifier."""

    type: Credential = "public-key"
    alg: int


class CredentialDescriptor(PlainModel):
    """A passkey that may or may not be used."""

    type: Credential = "public-key"
    id: str
    transports: list[str] = Field(default_factory=list)


class AuthenticatorSelection(PlainModel):
    """What kind of authenticator is asked for."""

    resident_key: str
    require_resident_key: bool
    user_verification: str
    authenticator_attachment: str | None = None


class CreationOptions(PlainModel):
    """PublicKeyCredentialCreationOptionsJSON. `timeout` in ms."""

    rp: RelyingParty
    user: PasskeyUser
    challenge: str
    pub_key_cred_params: list[KeyParameters]
    timeout: int
    exclude_credentials: list[CredentialDescriptor]
    authenticator_selection: AuthenticatorSelection
    attestation: str
    attestation_formats: list[str] | None = None
    extensions: dict[str, bool]


class RequestOptions(PlainModel):
    """PublicKeyCredentialRequestOptionsJSON. `timeout` in ms."""

    challenge: str
    rp_id: str
    timeout: int
    allow_credentials: list[CredentialDescriptor]
    user_verification: str


class PasskeyRegistrationOptionsAnswer(SignedAnswer):
    """What the browser is given to make a passkey, once a signature, token or ticket has proved for whom."""

    registration_id: str | None = Field(default=None, repr=False)
    public_key: CreationOptions | None = None


class PasskeyAttestation(PlainModel):
    """What is known of a passkey's origin."""

    format: str
    type: str
    trust: str


class PasskeyRegistrationAnswer(PlainModel):
    """The registered passkey."""

    activation_id: str
    credential_id: str
    passkey_type: str
    aaguid: str
    description: str
    attestation: PasskeyAttestation
    activation_status: str


class PasskeyAssertionOptionsAnswer(PlainModel):
    """What the browser is given to sign with a passkey."""

    session_id: str = Field(repr=False)
    public_key: RequestOptions


class PasskeyTokens(PlainModel):
    """The token response (spec/device-trust.md §2.2). `expires_in` in seconds."""

    access_token: str = Field(repr=False, alias="access_token")
    id_token: str | None = Field(default=None, repr=False, alias="id_token")
    refresh_token: str | None = Field(default=None, repr=False, alias="refresh_token")
    token_type: str = Field(alias="token_type")
    expires_in: int = Field(alias="expires_in")
    session_id: str = Field(alias="session_id")


class PasskeyAssertionAnswer(PlainModel):
    """What came of a sign-in or an approval; tokens where the application has a client for them.

    :ivar is_sign_in: the operation was made for this ceremony alone
    """

    is_sign_in: bool
    operation_id: str
    operation_status: str
    tokens: PasskeyTokens | None = None


class ListedPasskey(PlainModel):
    """A passkey as its user sees it. Times in ms.

    :ivar blocked_by_policy: the code that a sign-in would be refused with
    """

    activation_id: str
    name: str | None = None
    passkey_type: str
    aaguid: str
    description: str
    activation_status: str
    blocked_by_policy: str | None = None
    timestamp_created: int
    timestamp_last_used: int


class PasskeyListAnswer(PlainModel):
    """The user's passkeys."""

    passkeys: list[ListedPasskey]


class PasskeyActionAnswer(PlainModel):
    """Renamed or removed."""

    activation_id: str
