"""HTTP of the passkey calls (spec/device-trust.md §4.2).

Use cases are imported by the first call: what reads certificates would cost every start.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TypeVar

from powerauth_contracts.rest import fido2 as contract
from powerauth_core.fido2.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.kernel.errors import (
    CoreError,
    Fido2AuthenticationFailed,
    Fido2InvalidRequest,
    Fido2Unreadable,
    InvalidRequest,
)
from powerauth_core.passkeys.refusals import CeremonyReason, Malformed, PasskeyRefused, PolicyRefused
from powerauth_protocol.common.encoding import b64decode
from powerauth_protocol.common.errors import EncodingError

# ruff: noqa: PLC0415 - see above

T = TypeVar("T")

router = CallRouter("Passkeys")


@router.answers(contract.LIST)
async def list_passkeys(
    ports: Ports, asked: contract.RegistrationsRequest
) -> contract.RegistrationListResponse:
    from powerauth_core.fido2 import registration, views

    found = await registration.passkeys_of(ports, user_id=asked.user_id, application_id=asked.application_id)
    return contract.RegistrationListResponse(
        authenticators=[await views.authenticator(ports, one) for one in found]
    )


@router.answers(contract.REGISTRATION_CHALLENGE)
async def start_registration(
    ports: Ports, asked: contract.RegistrationsRequest
) -> contract.RegistrationChallengeResponse:
    from powerauth_core.fido2 import registration, views

    started = await registration.challenge(ports, user_id=asked.user_id, application_id=asked.application_id)
    return contract.RegistrationChallengeResponse(
        activation_id=started.activation_id,
        application_id=started.application_id,
        challenge=started.text,
        user_id=started.user_id,
        exclude_credentials=views.excluded(started.registered, await ports.authenticator_models.table()),
    )


@router.answers(contract.REGISTER)
async def register(ports: Ports, asked: contract.RegistrationRequest) -> contract.Fido2Authenticator:
    from powerauth_core.fido2 import registration, views
    from powerauth_core.fido2.relying_party import RelyingParty
    from powerauth_core.passkeys.ceremony import RegistrationAnswer

    given = asked.authenticator_parameters
    wanted = registration.Registration(
        application_id=asked.application_id,
        name=asked.activation_name,
        party=RelyingParty(
            rp_id=given.relying_party_id,
            origins=frozenset(given.allowed_origins or ()),
            top_origins=frozenset(given.allowed_top_origins or ()),
            user_verification=given.requires_user_verification,
        ),
        answer=RegistrationAnswer(
            credential_id=_decoded(given.credential_id),
            client_data_json=_decoded(given.response.client_data_json),
            attestation_object=_decoded(given.response.attestation_object),
            type=given.type,
        ),
        attachment=given.authenticator_attachment,
        transports=None if given.response.transports is None else tuple(given.response.transports),
        challenge=asked.expected_challenge,
    )
    return await views.authenticator(ports, await _answered(registration.register(ports, wanted)))


@router.answers(contract.ASSERTION_CHALLENGE)
async def start_assertion(
    ports: Ports, asked: contract.AssertionChallengeRequest
) -> contract.AssertionChallengeResponse:
    from powerauth_core.fido2 import assertion, views

    if asked.operation_id is not None:
        found = await assertion.challenge_of(
            ports,
            operation_id=asked.operation_id,
            application_ids=asked.application_ids,
            user_id=asked.user_id,
        )
    else:
        found = await assertion.challenge(
            ports,
            template_name=asked.template_name,
            application_ids=asked.application_ids,
            user_id=asked.user_id,
            external_id=asked.external_id,
            parameters=asked.parameters,
        )
    return views.challenge(found, asked)


@router.answers(contract.VERIFY)
async def verify(ports: Ports, asked: contract.AssertionRequest) -> contract.AssertionVerification:
    from powerauth_core.fido2 import assertion, views
    from powerauth_core.fido2.relying_party import RelyingParty
    from powerauth_core.passkeys.ceremony import AssertionAnswer

    given = asked.response
    if not asked.application_id and not given.user_handle:
        raise InvalidRequest("requestObject.applicationId - must not be null")
    answer = AssertionAnswer(
        credential_id=_decoded(asked.credential_id),
        client_data_json=_decoded(given.client_data_json),
        authenticator_data=_decoded(given.authenticator_data),
        signature=_decoded(given.signature),
        user_handle=None if given.user_handle is None else _decoded(given.user_handle),
        type=asked.type,
    )
    party = RelyingParty(
        rp_id=asked.relying_party_id,
        origins=frozenset(asked.allowed_origins or ()),
        top_origins=frozenset(asked.allowed_top_origins or ()),
        user_verification=asked.requires_user_verification,
    )
    challenge = None if asked.expected_challenge is None else asked.expected_challenge.encode()
    approved = await _answered(
        assertion.verify_answer(ports, answer, party, challenge, application_id=asked.application_id)
    )
    roles = await views.roles(ports, approved.passkey.application_id)
    return views.verification(approved, roles)


async def _answered(work: Awaitable[T]) -> T:
    """
    :raises CoreError: what refuses a passkey, as this door says it
    """
    try:
        return await work
    except PasskeyRefused as refused:
        raise _error(refused) from None


def _error(refused: PasskeyRefused) -> CoreError:
    if isinstance(refused, Malformed):
        return Fido2Unreadable()
    if isinstance(refused, PolicyRefused):
        return Fido2AuthenticationFailed(refused.code)
    if refused.reason == CeremonyReason.UNKNOWN_CHALLENGE:
        return Fido2InvalidRequest()
    return Fido2AuthenticationFailed()


def _decoded(text: str | None) -> bytes:
    """
    :raises Fido2Unreadable: it is missing, or no Base64 of the standard alphabet
    """
    try:
        return b64decode(text or "!")
    except EncodingError:
        raise Fido2Unreadable() from None
