"""Passkeys of browsers at the dmz door: the wire's models to the domain and back (spec/device-trust.md §4.9).

What judges passkeys is imported by the first call: it costs a start more than everything else of this door.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.passkeys import (
    Attachment,
    AuthenticatorSelection,
    CreationOptions,
    CredentialDescriptor,
    KeyParameters,
    ListedPasskey,
    PasskeyActionAnswer,
    PasskeyAssertionAnswer,
    PasskeyAssertionOptionsAnswer,
    PasskeyAssertionOptionsRequest,
    PasskeyAssertionRequest,
    PasskeyAttestation,
    PasskeyListAnswer,
    PasskeyListRequest,
    PasskeyRegistrationAnswer,
    PasskeyRegistrationOptionsAnswer,
    PasskeyRegistrationOptionsRequest,
    PasskeyRegistrationRequest,
    PasskeyRemoveRequest,
    PasskeyRenameRequest,
    PasskeyTokens,
    PasskeyUser,
    RelyingParty,
    RequestOptions,
)
from powerauth_contracts.dmz.table import PASSKEY_REGISTRATION_OPTIONS
from powerauth_contracts.moments import to_ms
from powerauth_contracts.wire import ExactText, ObjectRequest, RequestModel
from powerauth_core.attempts.service import check_rate
from powerauth_core.dmz import signed
from powerauth_core.dmz.ports import Ports
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.verification.jobs import Decision, LockedActivation
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError

if TYPE_CHECKING:
    from powerauth_core.passkey_sessions.completion import Outcome
    from powerauth_core.passkey_sessions.own import Own
    from powerauth_core.passkey_sessions.registration import Begun
    from powerauth_core.passkey_sessions.sign_in import Begun as BegunSignIn

OPTIONS: Final = "passkey-options"
ANSWERS: Final = "passkey-answers"


class RegistrationBody(RequestModel):
    """The public request of ``/api/passkey/registration/options``, as a signature covers it."""

    application_id: Annotated[ExactText, Field(max_length=255)] | None = None
    display_name: Annotated[ExactText, Field(max_length=64)] | None = None
    authenticator_attachment: Attachment | None = None
    binding_ticket: Annotated[ExactText, Field(max_length=64)] | None = Field(default=None, repr=False)


class BeginRegistration(signed.DoorAction):
    """Begins a registration for the user whose activation signed."""

    def __init__(self, ports: Ports, body: RegistrationBody) -> None:
        self.ports = ports
        self.body = body

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> Begun:
        """What the browser is told."""
        from powerauth_core.passkey_sessions import registration  # noqa: PLC0415 - heavy

        subject = registration.Subject(activation.user_id, activation.application_id)
        return await registration.begin(self.ports, session, subject, self.body.application_id)


async def registration_options(
    ports: Ports, request: PasskeyRegistrationOptionsRequest
) -> PasskeyRegistrationOptionsAnswer:
    """``passkey/registration/options``: of several proofs the signature counts, then the token.

    :raises InvalidRequest: the body is none, or names another application than the proof
    :raises AccessTokenInvalid: the token is not accepted
    :raises TicketInvalid: the ticket is not
    :raises FeatureDisabled: the application has no passkeys in browsers
    """
    await _count(ports, OPTIONS, request.client_address)
    content = signed.body_bytes(request.body)
    body = _body(content)
    begun: Begun | None
    if request.authorization is not None:
        purpose, header = PASSKEY_REGISTRATION_OPTIONS.purpose, request.authorization.header()
        verified = await signed.check(
            ports.verifier, header, content, purpose, BeginRegistration(ports, body)
        )
        begun = verified.answer if verified is not None and verified.valid else None
    else:
        begun = await _begin_unsigned(ports, request.access_token, body)
    if begun is None:
        return PasskeyRegistrationOptionsAnswer(authenticated=False)
    return PasskeyRegistrationOptionsAnswer(
        authenticated=True, registration_id=begun.id.text, public_key=_creation_options(begun, body)
    )


async def _begin_unsigned(ports: Ports, token: str | None, body: RegistrationBody) -> Begun | None:
    from powerauth_core.passkey_sessions import registration  # noqa: PLC0415 - heavy

    async with ports.database.transaction() as session:
        if token is not None:
            subject = await registration.by_token(ports, session, token)
        elif body.binding_ticket is not None:
            subject = await registration.by_ticket(ports, session, body.binding_ticket)
        else:
            return None
        return await registration.begin(ports, session, subject, body.application_id)


async def register(ports: Ports, request: PasskeyRegistrationRequest) -> PasskeyRegistrationAnswer:
    """``passkey/registration``; raises as `registration.complete`."""
    from powerauth_core.passkey_sessions import own, registration  # noqa: PLC0415 - heavy
    from powerauth_core.passkeys.ceremony import RegistrationAnswer  # noqa: PLC0415 - heavy

    await _count(ports, ANSWERS, request.client_address)
    credential = request.credential
    answer = RegistrationAnswer(
        credential_id=_bytes(credential.credential_id),
        client_data_json=_bytes(credential.response.client_data_json),
        attestation_object=_bytes(credential.response.attestation_object),
        type=credential.type,
    )
    passkey = await registration.complete(
        ports,
        registration.Answered(
            session_id=request.registration_id,
            name=request.name,
            answer=answer,
            attachment=credential.authenticator_attachment,
            transports=tuple(credential.response.transports),
        ),
    )
    recorded, activation = passkey.extras, passkey.activation
    kind = "NONE" if recorded.att_type is None else recorded.att_type.value
    return PasskeyRegistrationAnswer(
        activation_id=passkey.activation_id,
        credential_id=passkey.credential_id,
        passkey_type=own.type_of(ports, passkey).value,
        aaguid=str(recorded.aaguid),
        description=activation.device_info or "",
        attestation=PasskeyAttestation(
            format=recorded.fmt or "none", type=kind, trust=recorded.att_trust.value
        ),
        activation_status=passkey.status.value,
    )


async def assertion_options(
    ports: Ports, request: PasskeyAssertionOptionsRequest
) -> PasskeyAssertionOptionsAnswer:
    """``passkey/assertion/options``; raises as `sign_in.begin`."""
    from powerauth_core.passkey_sessions import sign_in  # noqa: PLC0415 - heavy

    await _count(ports, OPTIONS, request.client_address)
    context = {
        "client_id": request.client_id,
        "nonce": request.nonce,
        "scope": request.scope,
        "resource": request.resource,
        "client_parameters": request.client_parameters,
    }
    begun = await sign_in.begin(
        ports,
        sign_in.Wanted(
            application_id=request.application_id,
            user_id=request.user_id,
            token=request.access_token,
            operation_id=request.operation_id,
            context={name: value for name, value in context.items() if value is not None},
            life=timedelta(seconds=request.timeout),
        ),
    )
    return PasskeyAssertionOptionsAnswer(session_id=begun.id.text, public_key=_request_options(begun))


async def assert_passkey(ports: Ports, request: PasskeyAssertionRequest) -> PasskeyAssertionAnswer:
    """``passkey/assertion``; raises as `completion.complete`."""
    from powerauth_core.passkey_sessions import completion  # noqa: PLC0415 - heavy
    from powerauth_core.passkeys.ceremony import AssertionAnswer  # noqa: PLC0415 - heavy

    await _count(ports, ANSWERS, request.client_address)
    credential, response = request.credential, request.credential.response
    answer = AssertionAnswer(
        credential_id=_bytes(credential.credential_id),
        client_data_json=_bytes(response.client_data_json),
        authenticator_data=_bytes(response.authenticator_data),
        signature=_bytes(response.signature),
        user_handle=None if response.user_handle is None else _bytes(response.user_handle),
        type=credential.type,
    )
    return _outcome(await completion.complete(ports, request.session_id, answer, request.client_address))


async def list_own(ports: Ports, request: PasskeyListRequest) -> PasskeyListAnswer:
    """``passkey/list``; raises as `own.list_own`."""
    from powerauth_core.passkey_sessions import own  # noqa: PLC0415 - heavy

    return PasskeyListAnswer(
        passkeys=[_listed(one) for one in await own.list_own(ports, request.access_token)]
    )


async def rename(ports: Ports, request: PasskeyRenameRequest) -> PasskeyActionAnswer:
    """``passkey/rename``; raises as `own.rename`."""
    from powerauth_core.passkey_sessions import own  # noqa: PLC0415 - heavy

    await own.rename(ports, request.access_token, request.activation_id, request.name)
    return PasskeyActionAnswer(activation_id=request.activation_id)


async def remove(ports: Ports, request: PasskeyRemoveRequest) -> PasskeyActionAnswer:
    """``passkey/remove``; raises as `own.remove`."""
    from powerauth_core.passkey_sessions import own  # noqa: PLC0415 - heavy

    await own.remove(ports, request.access_token, request.activation_id)
    return PasskeyActionAnswer(activation_id=request.activation_id)


async def _count(ports: Ports, what: str, address: str | None) -> None:
    """:raises TooManyRequests: the client's network asks for too much"""
    await check_rate(ports.database, what, address, ports.settings.passkey_requests_per_minute)


def _body(content: bytes) -> RegistrationBody:
    try:
        return ObjectRequest[RegistrationBody].model_validate_json(content).request_object
    except ValidationError:
        raise InvalidRequest() from None


def _bytes(text: str) -> bytes:
    try:
        return b64decode(text)
    except EncodingError:
        raise InvalidRequest("requestObject.credential - must be Base64") from None


def _creation_options(begun: Begun, body: RegistrationBody) -> CreationOptions:
    policy, user_id = begun.policy, begun.challenge.user_id
    resident = policy.resident_key.value
    return CreationOptions(
        rp=RelyingParty(id=policy.rp_id, name=policy.rp_name or begun.challenge.application_id),
        user=PasskeyUser(
            id=b64encode(begun.user_handle), name=user_id, display_name=body.display_name or user_id
        ),
        challenge=b64encode(begun.challenge.text.encode()),
        pub_key_cred_params=[KeyParameters(alg=one) for one in sorted(policy.algorithms, reverse=True)],
        timeout=begun.life_ms,
        exclude_credentials=[
            CredentialDescriptor(id=one.credential_id, transports=list(one.extras.transports or ()))
            for one in begun.challenge.registered
        ],
        authenticator_selection=AuthenticatorSelection(
            resident_key=resident,
            require_resident_key=resident == "required",
            user_verification=policy.user_verification.value,
            authenticator_attachment=body.authenticator_attachment,
        ),
        attestation=policy.attestation_type.value,
        attestation_formats=[one for one in policy.attestation_formats if one != "none"],
        extensions={"credProps": True},
    )


def _request_options(begun: BegunSignIn) -> RequestOptions:
    return RequestOptions(
        challenge=b64encode(begun.challenge.encode()),
        rp_id=begun.policy.rp_id,
        timeout=int(begun.life.total_seconds() * 1000),
        allow_credentials=[
            CredentialDescriptor(id=one.id, transports=list(one.transports)) for one in begun.offered
        ],
        user_verification=begun.policy.user_verification.value,
    )


def _outcome(outcome: Outcome) -> PasskeyAssertionAnswer:
    issued = outcome.issued
    return PasskeyAssertionAnswer(
        is_sign_in=outcome.is_sign_in,
        operation_id=outcome.operation_id,
        operation_status=outcome.operation_status.value,
        tokens=None if issued is None else PasskeyTokens(**issued.response()),
    )


def _listed(own: Own) -> ListedPasskey:
    passkey, activation = own.passkey, own.passkey.activation
    return ListedPasskey(
        activation_id=passkey.activation_id,
        name=activation.activation_name,
        passkey_type=own.type.value,
        aaguid=str(passkey.extras.aaguid),
        description=activation.device_info or "",
        activation_status=passkey.status.value,
        blocked_by_policy=None if own.blocked_by is None else own.blocked_by.value,
        timestamp_created=to_ms(passkey.registered_at.replace(tzinfo=None)),
        timestamp_last_used=to_ms(activation.timestamp_last_used),
    )
