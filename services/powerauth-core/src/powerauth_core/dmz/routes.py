"""HTTP of the core's second door, for the enrollment service alone (D1)."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter

from powerauth_contracts.dmz.models import (
    ActivationActionAnswer,
    ActivationStatusAnswer,
    ActivationStatusRequest,
    ApplicationPublicAnswer,
    ApplicationPublicRequest,
    CreateActivationAnswer,
    CreateActivationRequest,
    EnvelopeKeysAnswer,
    EnvelopeKeysRequest,
    OperationActionAnswer,
    OperationDetailAnswer,
    OperationHistoryAnswer,
    OperationListAnswer,
    SealedAnswer,
    SealedRequest,
    SignedAnswer,
    SignedOperationRequest,
    SignedRequest,
    StatementKeysAnswer,
    TextsRequest,
    TokenOperationRequest,
    TokenRemoveAnswer,
    TokenRequest,
    VerifyAnswer,
    VerifyRequest,
    WhoAmIAnswer,
    WhoAmIRequest,
)
from powerauth_contracts.rest.templates import DoorTextsResponse
from powerauth_contracts.rest.temporary_keys import CreateTemporaryKeyRequest, CreateTemporaryKeyResponse
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.dmz import (
    activations,
    creation,
    envelopes,
    keys,
    operations,
    profile,
    signed,
    spawn,
    status,
    tokens,
)
from powerauth_core.dmz import exchange as echoes
from powerauth_core.dmz.exchange import Echo
from powerauth_core.dmz.ports import Running
from powerauth_core.kernel.answers import answer
from powerauth_core.providers import oidc
from powerauth_core.statements import service as statements
from powerauth_core.templates import texts
from powerauth_core.temporary_keys import service as keystore
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

door = APIRouter(prefix="/dmz/v1", tags=["Door of the enrollment service"], route_class=JsonRoute)
inside = APIRouter(prefix="/rest/v3/statement", tags=["Statements"], route_class=JsonRoute)
examples = APIRouter(
    prefix="/dmz/v1/sealed/exchange", tags=["Door of the enrollment service"], route_class=JsonRoute
)
"""Echoes for compatibility tests; not in production (D1 rule 4)."""


@door.post("/keystore/create", response_model=ObjectResponse[CreateTemporaryKeyResponse])
async def create_temporary_key(
    ports: Running, body: ObjectRequest[CreateTemporaryKeyRequest]
) -> JsonResponse:
    """Issue a temporary key."""
    return answer(await keystore.create_temporary_key(ports, body.request_object))


@door.post("/envelope/keys", response_model=ObjectResponse[EnvelopeKeysAnswer])
async def envelope_keys(ports: Running, body: ObjectRequest[EnvelopeKeysRequest]) -> JsonResponse:
    """Keys of one generic envelope."""
    return answer(await envelopes.envelope_keys(ports, body.request_object))


@door.post("/activation/create", response_model=ObjectResponse[CreateActivationAnswer])
async def create_activation(ports: Running, body: ObjectRequest[CreateActivationRequest]) -> JsonResponse:
    """Create an activation."""
    return answer(await creation.create(ports, body.request_object))


@door.post("/activation/status", response_model=ObjectResponse[ActivationStatusAnswer])
async def activation_status(ports: Running, body: ObjectRequest[ActivationStatusRequest]) -> JsonResponse:
    """Encrypted status of an activation."""
    return answer(await status.status(ports, body.request_object))


@door.post("/application/public", response_model=ObjectResponse[ApplicationPublicAnswer])
async def application_public(ports: Running, body: ObjectRequest[ApplicationPublicRequest]) -> JsonResponse:
    """Public fields of an identity provider: never secret, token or key addresses."""
    asked = body.request_object
    start = await oidc.login_start(ports, asked.application_key, asked.provider_id)
    return answer(
        ApplicationPublicAnswer(
            provider_id=start.provider.provider_id,
            client_id=start.provider.client_id,
            scopes=start.provider.scopes,
            authorize_uri=start.authorize_uri,
            redirect_uri=start.provider.redirect_uri,
            pkce_enabled=start.provider.pkce_enabled,
        )
    )


@door.post("/texts", response_model=ObjectResponse[DoorTextsResponse])
async def operation_texts(ports: Running, body: ObjectRequest[TextsRequest]) -> JsonResponse:
    """Localised texts of an operation type."""
    wanted = body.request_object
    async with ports.database.read() as session:
        found = await texts.read(session, wanted.operation_type, wanted.etag)
    return answer(found)


@door.post("/signed/verify", response_model=ObjectResponse[VerifyAnswer])
async def verify(ports: Running, body: ObjectRequest[VerifyRequest]) -> JsonResponse:
    """Verify a signature that belongs to no action of the core."""
    return answer(await signed.verify(ports, body.request_object))


@door.post("/signed/operation/approve", response_model=ObjectResponse[OperationActionAnswer])
async def approve_operation(ports: Running, body: ObjectRequest[SignedOperationRequest]) -> JsonResponse:
    """Approve the operation that the signed body names."""
    return answer(await operations.approve(ports, body.request_object))


@door.post("/signed/operation/reject", response_model=ObjectResponse[OperationActionAnswer])
async def reject_operation(ports: Running, body: ObjectRequest[SignedOperationRequest]) -> JsonResponse:
    """Reject the operation that the signed body names."""
    return answer(await operations.reject(ports, body.request_object))


@door.post("/signed/operation/history", response_model=ObjectResponse[OperationHistoryAnswer])
async def operation_history(ports: Running, body: ObjectRequest[SignedRequest]) -> JsonResponse:
    """Operations of the signing user."""
    return answer(await operations.history(ports, body.request_object))


@door.post("/signed/token/remove", response_model=ObjectResponse[TokenRemoveAnswer])
async def remove_token(ports: Running, body: ObjectRequest[SignedRequest]) -> JsonResponse:
    """Remove a token of the signing activation."""
    return answer(await activations.remove_token(ports.verifier, body.request_object))


@door.post("/signed/activation/remove", response_model=ObjectResponse[ActivationActionAnswer])
async def remove_activation(ports: Running, body: ObjectRequest[SignedRequest]) -> JsonResponse:
    """Remove the signing activation."""
    return answer(await activations.remove(ports, body.request_object))


@door.post("/signed/upgrade/commit", response_model=ObjectResponse[SignedAnswer])
async def commit_upgrade(ports: Running, body: ObjectRequest[SignedRequest]) -> JsonResponse:
    """Verify the signature and refuse: there are no protocol upgrades."""
    return answer(await activations.commit_upgrade(ports, body.request_object))


@door.post("/sealed/token/create", response_model=ObjectResponse[SealedAnswer])
async def create_token(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Issue a token of the type that signed."""
    return answer(await keys.create_token(ports, body.request_object))


@door.post("/sealed/vault/unlock", response_model=ObjectResponse[SealedAnswer])
async def unlock_vault(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Hand out the vault key to the device."""
    return answer(await keys.unlock_vault(ports, body.request_object))


@door.post("/sealed/recovery/confirm", response_model=ObjectResponse[SealedAnswer])
async def confirm_recovery_code(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Make a recovery code usable that came by post."""
    return answer(await keys.confirm_recovery_code(ports, body.request_object))


@door.post("/sealed/upgrade/start", response_model=ObjectResponse[SealedAnswer])
async def start_upgrade(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Kept for wire compatibility: there are no protocol upgrades, so this is refused."""
    return answer(await keys.start_upgrade(ports.database, ports.application_cache, body.request_object))


@door.post("/sealed/user-info", response_model=ObjectResponse[SealedAnswer])
async def user_info(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Claims about the device's user."""
    return answer(await profile.user_info(ports, body.request_object))


@door.post("/sealed/activation/detail", response_model=ObjectResponse[SealedAnswer])
async def activation_detail(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Id and name of the token's activation."""
    return answer(await profile.detail(ports, body.request_object))


@door.post("/sealed/activation/rename", response_model=ObjectResponse[SealedAnswer])
async def rename_activation(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Rename the signing activation."""
    return answer(await profile.rename(ports, body.request_object))


@door.post("/sealed/spawn", response_model=ObjectResponse[SealedAnswer])
async def spawn_activation(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Open an activation for another application or another phone of the user."""
    return answer(await spawn.spawn(ports, body.request_object))


@door.post("/token/operation/list", response_model=ObjectResponse[OperationListAnswer])
async def list_operations(ports: Running, body: ObjectRequest[TokenRequest]) -> JsonResponse:
    """Pending operations of the token's user."""
    return answer(await tokens.list_operations(ports, body.request_object))


@door.post("/token/operation/detail", response_model=ObjectResponse[OperationDetailAnswer])
async def operation_detail(ports: Running, body: ObjectRequest[TokenOperationRequest]) -> JsonResponse:
    """One operation that concerns the token's activation."""
    return answer(await tokens.operation_detail(ports, body.request_object))


@door.post("/token/operation/claim", response_model=ObjectResponse[OperationDetailAnswer])
async def claim_operation(ports: Running, body: ObjectRequest[TokenOperationRequest]) -> JsonResponse:
    """Make the token's user the owner of an operation without one."""
    return answer(await tokens.claim_operation(ports, body.request_object))


@door.post("/token/who-am-i", response_model=ObjectResponse[WhoAmIAnswer])
async def who_am_i(ports: Running, body: ObjectRequest[WhoAmIRequest]) -> JsonResponse:
    """Ids behind a token, with a statement for another service."""
    return answer(await tokens.who_am_i(ports, body.request_object))


@inside.post("/keys", response_model=ObjectResponse[StatementKeysAnswer])
async def statement_keys(ports: Running) -> JsonResponse:
    """Public keys of the statements that ``token/who-am-i`` gives."""
    found: list[dict[str, Any]] = await statements.public_keys(ports.database, ports.cipher)
    return answer(StatementKeysAnswer(keys=found))


@examples.post("/activation", response_model=ObjectResponse[SealedAnswer])
async def exchange(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
    """Echo an encrypted object."""
    return answer(await echoes.echo(ports, body.request_object))


def _echo_of(resource: Echo) -> Callable[..., Awaitable[JsonResponse]]:
    async def exchange_signed(ports: Running, body: ObjectRequest[SealedRequest]) -> JsonResponse:
        """Echo what was signed and encrypted."""
        return answer(await echoes.echo_signed(ports, body.request_object, resource))

    return exchange_signed


for _name, _resource in echoes.ECHOES.items():
    examples.post(f"/{_name}", response_model=ObjectResponse[SealedAnswer])(_echo_of(_resource))

router = APIRouter()
router.include_router(door)
router.include_router(inside)
