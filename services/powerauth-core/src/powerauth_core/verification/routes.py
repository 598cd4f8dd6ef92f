"""HTTP of the signature calls (spec/core-api.md §9)."""

from fastapi import APIRouter

from powerauth_contracts.rest.verification import (
    CreateNonPersonalizedPayloadRequest,
    CreatePersonalizedPayloadRequest,
    ListSignaturesRequest,
    ListSignaturesResponse,
    OfflinePayloadResponse,
    SignEcdsaRequest,
    SignEcdsaResponse,
    VerifyEcdsaRequest,
    VerifyEcdsaResponse,
    VerifyOfflineSignatureRequest,
    VerifySignatureRequest,
    VerifySignatureResponse,
)
from powerauth_contracts.wire import ObjectRequest, ObjectResponse
from powerauth_core.kernel.answers import answer
from powerauth_core.verification import ecdsa, offline, service
from powerauth_core.verification.ports import Running
from servicekit.answers import JsonResponse
from servicekit.routing import JsonRoute

router = APIRouter(prefix="/rest/v3/signature", tags=["Signatures"], route_class=JsonRoute)

Verified = ObjectResponse[VerifySignatureResponse]
Payload = ObjectResponse[OfflinePayloadResponse]


@router.post("/verify", response_model=Verified)
async def verify(ports: Running, body: ObjectRequest[VerifySignatureRequest]) -> JsonResponse:
    """Check an online signature."""
    return answer(await service.verify(ports, body.request_object))


@router.post("/offline/personalized/create", response_model=Payload)
async def create_personalized(
    ports: Running, body: ObjectRequest[CreatePersonalizedPayloadRequest]
) -> JsonResponse:
    """Payload for a QR code that one activation can read."""
    return answer(await offline.create_personalized(ports, body.request_object))


@router.post("/offline/non-personalized/create", response_model=Payload)
async def create_non_personalized(
    ports: Running, body: ObjectRequest[CreateNonPersonalizedPayloadRequest]
) -> JsonResponse:
    """Payload for a QR code that every activation of an application can read."""
    return answer(
        await offline.create_non_personalized(ports.database, ports.application_cache, body.request_object)
    )


@router.post("/offline/verify", response_model=Verified)
async def verify_offline(ports: Running, body: ObjectRequest[VerifyOfflineSignatureRequest]) -> JsonResponse:
    """Check a code that a user typed in."""
    return answer(await offline.verify(ports.settings, ports.verifier, body.request_object))


@router.post("/ecdsa/verify", response_model=ObjectResponse[VerifyEcdsaResponse])
async def verify_ecdsa(ports: Running, body: ObjectRequest[VerifyEcdsaRequest]) -> JsonResponse:
    """Check a signature of the device's private key."""
    return answer(await ecdsa.verify(ports.database, body.request_object))


@router.post("/ecdsa/sign", response_model=ObjectResponse[SignEcdsaResponse])
async def sign_ecdsa(ports: Running, body: ObjectRequest[SignEcdsaRequest]) -> JsonResponse:
    """Sign with the activation's server key."""
    return answer(await ecdsa.sign(ports.database, ports.activation_keys, body.request_object))


@router.post("/list", response_model=ObjectResponse[ListSignaturesResponse])
async def list_signatures(ports: Running, body: ObjectRequest[ListSignaturesRequest]) -> JsonResponse:
    """Signature audit of a user."""
    return answer(await service.list_signatures(ports.database, ports.cipher, body.request_object))
