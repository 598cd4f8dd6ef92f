"""How passkeys look to callers inside the network (spec/device-trust.md §4.2)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from powerauth_contracts.rest import fido2 as contract
from powerauth_core.activations.models import OTHER_KEY
from powerauth_core.fido2.authenticators import Model
from powerauth_core.fido2.ports import Ports
from powerauth_protocol.common.encoding import b64decode, b64encode, b64url_decode
from powerauth_protocol.common.json_text import read_json_object

if TYPE_CHECKING:
    from powerauth_core.fido2.assertion import Approved, Challenge
    from powerauth_core.passkey_records.stored import Passkey


async def authenticator(ports: Ports, passkey: Passkey) -> contract.Fido2Authenticator:
    """One passkey."""
    activation = passkey.activation
    return contract.Fido2Authenticator(
        user_id=passkey.user_id,
        activation_id=passkey.activation_id,
        application_id=passkey.application_id,
        activation_name=activation.activation_name,
        credential_id=passkey.credential_id,
        activation_status=passkey.status,
        extras=read_json_object(activation.extras or "{}"),
        platform=activation.platform,
        device_info=activation.device_info,
        blocked_reason=activation.blocked_reason,
        failed_attempts=activation.failed_attempts,
        max_failed_attempts=activation.max_failed_attempts,
        application_roles=await roles(ports, passkey.application_id),
        activation_flags=list(activation.flags or ()),
        public_key_bytes=_public_key(activation.device_public_key_base64 or ""),
    )


async def roles(ports: Ports, application_id: str) -> list[str]:
    """Roles of an application."""
    application = await ports.application_cache.identity(ports.database, application_id)
    return [] if application is None else list(application.roles)


def excluded(passkeys: Iterable[Passkey], models: Mapping[str, Model]) -> list[contract.Credential]:
    """What a browser is told not to register again."""
    return [_credential(one, models.get(str(one.extras.aaguid)), "") for one in passkeys]


def challenge(
    found: Challenge, asked: contract.AssertionChallengeRequest
) -> contract.AssertionChallengeResponse:
    """An operation that waits for a passkey."""
    row = found.operation.row
    allowed = [_credential(one, model, row.data) for one, model in found.allowed]
    return contract.AssertionChallengeResponse(
        application_ids=asked.application_ids,
        challenge=found.text,
        user_id=row.user_id or asked.user_id,
        operation_id=row.id,
        failed_attempts=row.failure_count,
        max_failed_attempts=row.max_failure_count,
        allow_credentials=allowed or None,
    )


def verification(approved: Approved, application_roles: list[str]) -> contract.AssertionVerification:
    """An operation that was approved."""
    activation = approved.passkey.activation
    return contract.AssertionVerification(
        assertion_valid=True,
        user_id=approved.passkey.user_id,
        activation_id=activation.activation_id,
        application_id=approved.passkey.application_id,
        activation_status=activation.activation_status,
        blocked_reason=None,
        remaining_attempts=activation.max_failed_attempts,
        application_roles=application_roles,
        activation_flags=list(activation.flags or ()),
    )


def _credential(passkey: Passkey, model: Model | None, data: str) -> contract.Credential:
    transports = passkey.extras.transports
    if transports is None:
        transports = () if model is None else model.transports
    credential_id = passkey.credential_id
    if model is not None and model.signs_operation and data:
        credential_id = b64encode(b64decode(credential_id) + data.encode())
    return contract.Credential(credential_id=credential_id, transports=list(transports))


def _public_key(stored: str) -> str:
    if not stored.startswith(OTHER_KEY):
        return stored
    return b64encode(b64url_decode(stored.removeprefix(OTHER_KEY)))
