"""Wire models of the core's second door (D1): what the enrollment service sends and gets.

Header fields are texts exactly as received from the device; the core validates them itself. Bodies travel as
Base64 of the raw bytes, since a signature covers bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field
from pydantic.alias_generators import to_camel

from powerauth_contracts.dmz.headers import ReceivedSignature
from powerauth_contracts.enums import StatementAction
from powerauth_contracts.envelopes import Closed, EnvelopeFields
from powerauth_contracts.fields import ExactRequiredText
from powerauth_contracts.moments import LATEST_MS
from powerauth_contracts.rest.templates import OperationTextRow
from powerauth_contracts.wire import ExactLongText, ExactText, PlainModel, RequestModel, WireModel
from powerauth_protocol.common.errors import HeaderError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.generation import read_encryption, read_token
from powerauth_protocol.v3.http_headers import EncryptionHeader, TokenHeader

Moment = Annotated[int, Field(ge=0, le=LATEST_MS)]
"""Milliseconds since the epoch, up to the year 9999."""

HeaderText = Annotated[Annotated[str, Field(strict=True, max_length=1024)] | None, Field(default=None)]
RequestRefusal = Literal["REQUEST_INVALID"]
REQUEST_INVALID: RequestRefusal = "REQUEST_INVALID"
TransferRefusal = Literal["TRANSFER_REFUSED"]
TRANSFER_REFUSED: TransferRefusal = "TRANSFER_REFUSED"


class HeaderModel(RequestModel):
    """A PowerAuth header; every field may be missing, which makes the header malformed."""

    model_config = ConfigDict(alias_generator=None)


class SignatureHeaderFields(HeaderModel):
    """``X-PowerAuth-Authorization`` by its wire names (spec/protocol-v3.md §7.1).

    ``client_network`` is no field of the header: what enrollment's limits call the client (D15).
    """

    pa_activation_id: HeaderText
    pa_application_key: HeaderText
    pa_nonce: HeaderText
    pa_signature_type: HeaderText
    pa_signature: HeaderText
    pa_version: HeaderText
    client_network: str | None = Field(default=None, pattern=r"^[0-9A-Za-z.:/]{0,64}$")

    def header(self) -> ReceivedSignature | None:
        """The header if all its fields are well-formed, None otherwise."""
        try:
            return ReceivedSignature.received(vars(self), self.client_network or "")
        except HeaderError:
            return None


class EncryptionHeaderFields(HeaderModel):
    """``X-PowerAuth-Encryption`` by its wire names."""

    application_key: HeaderText
    activation_id: HeaderText
    version: HeaderText

    def header(self) -> EncryptionHeader | None:
        """The header of activation scope if all its fields are well-formed, None otherwise."""
        try:
            return read_encryption(vars(self), Scope.ACTIVATION)
        except HeaderError:
            return None


class TokenHeaderFields(HeaderModel):
    """``X-PowerAuth-Token`` by its wire names."""

    token_id: HeaderText
    token_digest: HeaderText
    nonce: HeaderText
    timestamp: HeaderText
    version: HeaderText

    def header(self) -> TokenHeader | None:
        """The header if all its fields are well-formed, None otherwise."""
        try:
            return read_token(vars(self))
        except HeaderError:
            return None


class EnvelopeKeysRequest(EnvelopeFields):
    """``envelope/keys``: a whole envelope of application scope, since keys are given only for one whose MAC
    is right.
    """

    application_key: ExactText
    protocol_version: ExactText


class EnvelopeKeysAnswer(WireModel):
    """Keys of one envelope of application scope, finished values only where the protocol allows it (D1)."""

    secret_key: str
    shared_info2: str | None = None
    request_shared_info2: str | None = None
    response_nonce: str | None = None
    response_timestamp: int | None = None
    response_shared_info2: str | None = None


class CreateActivationRequest(RequestModel):
    """``activation/create``: all of layer 1; layer 2 as the device sent it, judged where it is opened."""

    application_key: ExactRequiredText
    protocol_version: ExactRequiredText
    type: Literal["CODE", "CUSTOM", "DIRECT", "RECOVERY"]
    identity_attributes: dict[str, ExactText] = Field(min_length=1)
    custom_attributes: dict[str, Any] | None = None
    activation_data: dict[str, Any]


class CreateActivationAnswer(WireModel):
    """What layer 1 answers with; the ids are for the caller's log."""

    activation_data: Closed
    custom_attributes: dict[str, Any] | None = None
    user_info: dict[str, Any] | None = None
    activation_id: str | None = None
    application_id: str | None = None
    activation_status: str | None = None


class SealedCreationRequest(RequestModel):
    """``sealed/activation/create``: both layers closed, the body as received, Base64."""

    application_key: ExactRequiredText
    protocol_version: ExactRequiredText
    body: ExactLongText


class SealedCreationAnswer(WireModel):
    """What only the device opens; the ids are for the caller's log."""

    envelope: Closed
    activation_id: str | None = None
    application_id: str | None = None
    activation_status: str | None = None


class ActivationStatusRequest(RequestModel):
    """``activation/status``; `challenge` is Base64 of 16 bytes."""

    activation_id: ExactText
    challenge: ExactText | None = None


class ActivationStatusAnswer(WireModel):
    """The public part of an activation's status and nothing else."""

    activation_id: str
    encrypted_status_blob: str
    encrypted_status_blob_nonce: str | None = None
    custom_object: dict[str, Any] | None = None


class ApplicationPublicRequest(RequestModel):
    """``application/public``."""

    application_key: ExactText
    provider_id: ExactText


class ApplicationPublicAnswer(WireModel):
    """Public fields of an OIDC provider (spec/enrollment-api.md §16)."""

    provider_id: str
    client_id: str
    scopes: str | None = None
    authorize_uri: str | None = None
    redirect_uri: str
    pkce_enabled: bool = False


class TextsRequest(RequestModel):
    """``texts``: rows of one operation type, unless `etag` still fits."""

    operation_type: ExactText
    etag: ExactText | None = None


class TextsAnswer(WireModel):
    """The texts of one operation type; no rows if the caller's ``etag`` is still right."""

    etag: str | None = None
    not_modified: bool = False
    rows: list[OperationTextRow] = Field(default_factory=list)


class SignedRequest(RequestModel):
    """``signed/<action>``: the header and the signed bytes."""

    header: SignatureHeaderFields
    body: ExactLongText = ""


class SealedRequest(RequestModel):
    """``sealed/<action>``: the body as received, Base64, and every PowerAuth header that came with it."""

    authorization: SignatureHeaderFields | None = None
    token: TokenHeaderFields | None = None
    encryption: EncryptionHeaderFields | None = None
    body: ExactLongText = ""


class SignedOperationRequest(SignedRequest):
    """``signed/operation/approve`` and ``reject``: with what enrollment saw of the device's connection."""

    client_address: str | None = Field(default=None, max_length=256)
    user_agent: str | None = Field(default=None, max_length=256)


class VerifyRequest(SignedRequest):
    """``signed/verify``: the only call that names method, resource and types itself."""

    method: ExactText = Field(min_length=1, max_length=16)
    uri_id: ExactText = Field(min_length=1, max_length=1024)
    allowed_signature_types: list[ExactText]


@dataclass(slots=True)
class ShownNumberMatching:
    """What a phone asks its user for: a number of so many digits, or one of these."""

    __pydantic_config__ = ConfigDict(strict=True)

    digits: int
    choices: list[str] | None = None


# Not a model: lists of them are what phones ask for all day, and a model costs three times as much.
@dataclass(slots=True, kw_only=True)
class DoorOperation:
    """An operation as a device may see it: lower-case signature types, times in ms, no proximity code.

    `status` is a text, so that a later one does not make the answer unreadable.
    """

    __pydantic_config__ = ConfigDict(alias_generator=to_camel, strict=True)

    id: str
    operation_type: str
    data: str
    status: str
    status_reason: str | None = None
    parameters: dict[str, str | None] = field(default_factory=dict)
    risk_flags: str | None = None
    signature_type: tuple[str, ...] = ()
    timestamp_created: Moment
    timestamp_expires: Moment
    proximity_check: bool = False
    activation_flag: str | None = None
    number_matching: ShownNumberMatching | None = None


Authenticated = Annotated[bool, BeforeValidator(lambda value: value is True, json_schema_input_type=bool)]
"""Nothing but ``true`` authenticates."""


class SignedAnswer(PlainModel):
    """Every ``signed/`` and ``token/`` answer says at least this."""

    authenticated: Authenticated = False


class VerifyAnswer(SignedAnswer):
    """Who signed."""

    activation_id: str | None = None
    user_id: str | None = None
    application_id: str | None = None
    signature_type: str | None = None
    activation_flags: list[str] | None = None
    application_roles: list[str] | None = None
    remaining_attempts: int | None = None


class OperationActionAnswer(SignedAnswer):
    """Outcome of an approval or rejection."""

    result: str | None = None
    operation_status: str | None = None
    refusal: str | None = None
    required_activation_flag: str | None = None


class OperationHistoryAnswer(SignedAnswer):
    """Newest operations of the user in all states."""

    operations: list[DoorOperation] | None = None


class SealedAnswer(WireModel):
    """Answer that only the device can open, or why the core does not act on what it opened."""

    authenticated: Authenticated = False
    envelope: Closed | None = None
    refusal: str | None = None


class TokenRemoveAnswer(SignedAnswer):
    """Outcome of a token removal; `tokenId` is None if the body named none."""

    token_id: str | None = None
    removed: bool | None = None
    refusal: str | None = None


class ActivationActionAnswer(SignedAnswer):
    """Removed activation."""

    activation_id: str | None = None


class TokenRequest(RequestModel):
    """``token/<action>``: the header authenticates a device, not a body."""

    header: TokenHeaderFields


class TokenOperationRequest(TokenRequest):
    """``token/operation/detail`` and ``claim``."""

    id: ExactText


class WhoAmIRequest(TokenRequest):
    """``token/who-am-i``: `audience` is the action that the statement is for (D1 rule 5)."""

    audience: StatementAction


class OperationListAnswer(SignedAnswer):
    """Pending operations and the server's time in milliseconds."""

    operations: list[DoorOperation] | None = None
    timestamp: int | None = None


class OperationDetailAnswer(SignedAnswer):
    """One operation in whatever state it is."""

    operation: DoorOperation | None = None


class WhoAmIAnswer(SignedAnswer):
    """Who the token stands for, and a statement about it signed by the core."""

    activation_id: str | None = None
    user_id: str | None = None
    application_id: str | None = None
    signature_type: str | None = None
    statement: str | None = None
