"""HTTP of verification (spec/cloud-api.md §7)."""

from __future__ import annotations

from starlette.responses import Response

from cloud_private_api.routing import CallerDep, CloudRouter, answer
from cloud_private_api.verification import service
from cloud_private_api.verification.ports import Running
from cloud_private_api.verification.rules import SignedRequest
from powerauth_contracts.cloud import verification as contract
from powerauth_contracts.cloud.verification import (
    CreateOfflinePayload,
    VerifyEcdsaSignature,
    VerifyOfflineSignature,
    VerifySignature,
    VerifyToken,
)

router = CloudRouter("Authentication")


@router.answers(contract.VERIFY_SIGNATURE_V2)
async def verify_signature(ports: Running, caller: CallerDep, request: VerifySignature) -> Response:
    """Verify an authentication code from the app's ``X-PowerAuth-Authorization`` header."""
    return answer(
        await service.verify_signature(
            ports.core,
            ports.applications,
            caller,
            signed_request(request),
            auth_header=request.auth_header,
            allowed_types=request.allowed_signature_types,
        )
    )


@router.answers(contract.VERIFY_TOKEN_V2)
async def verify_token(ports: Running, caller: CallerDep, request: VerifyToken) -> Response:
    """Verify a simple token from the app's ``X-PowerAuth-Token`` header."""
    return answer(await service.verify_token(ports.core, caller, request.auth_header))


@router.answers(contract.CREATE_OFFLINE_PAYLOAD)
async def create_offline_payload(
    ports: Running, caller: CallerDep, request: CreateOfflinePayload
) -> Response:
    """Sign data for an offline QR code."""
    return answer(
        await service.create_offline_payload(
            ports.core,
            caller,
            registration_id=request.registration_id,
            app_id=request.app_id,
            data=request.data,
        )
    )


@router.answers(contract.VERIFY_OFFLINE_SIGNATURE)
async def verify_offline_signature(
    ports: Running, caller: CallerDep, request: VerifyOfflineSignature
) -> Response:
    """Verify a code that the user has rewritten from the device."""
    return answer(
        await service.verify_offline_signature(
            ports.core,
            caller,
            registration_id=request.registration_id,
            uri_id=request.uri_id,
            data=request.data,
            nonce=request.nonce,
            otp=request.otp,
            allow_biometry=request.allow_biometry,
        )
    )


@router.answers(contract.VERIFY_ECDSA_SIGNATURE)
async def verify_ecdsa_signature(
    ports: Running, caller: CallerDep, request: VerifyEcdsaSignature
) -> Response:
    """Verify a signature made by the device's private key."""
    return answer(
        await service.verify_ecdsa_signature(
            ports.core,
            caller,
            registration_id=request.registration_id,
            data=request.data,
            signature=request.signature,
            signature_format=request.signature_format,
        )
    )


def signed_request(request: VerifySignature) -> SignedRequest:
    """What the app has signed."""
    return SignedRequest(
        method=request.method, uri_id=request.uri_id, body=request.request_body, query=request.query_params
    )
