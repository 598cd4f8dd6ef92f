"""HTTP of the signature calls (spec/core-api.md §9)."""

from powerauth_contracts.rest import verification as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.verification import ecdsa, offline, service
from powerauth_core.verification.ports import Ports

router = CallRouter("Signatures")


@router.answers(contract.VERIFY)
async def verify(ports: Ports, request: contract.VerifySignatureRequest) -> contract.VerifySignatureResponse:
    return await service.verify(ports, request)


@router.answers(contract.OFFLINE_PERSONALIZED_CREATE)
async def create_personalized(
    ports: Ports, request: contract.CreatePersonalizedPayloadRequest
) -> contract.OfflinePayloadResponse:
    return await offline.create_personalized(ports, request)


@router.answers(contract.OFFLINE_NON_PERSONALIZED_CREATE)
async def create_non_personalized(
    ports: Ports, request: contract.CreateNonPersonalizedPayloadRequest
) -> contract.OfflinePayloadResponse:
    return await offline.create_non_personalized(ports.database, ports.application_cache, request)


@router.answers(contract.OFFLINE_VERIFY)
async def verify_offline(
    ports: Ports, request: contract.VerifyOfflineSignatureRequest
) -> contract.VerifySignatureResponse:
    return await offline.verify(ports.settings, ports.verifier, request)


@router.answers(contract.ECDSA_VERIFY)
async def verify_ecdsa(ports: Ports, request: contract.VerifyEcdsaRequest) -> contract.VerifyEcdsaResponse:
    return await ecdsa.verify(ports.database, request)


@router.answers(contract.ECDSA_SIGN)
async def sign_ecdsa(ports: Ports, request: contract.SignEcdsaRequest) -> contract.SignEcdsaResponse:
    return await ecdsa.sign(ports.database, ports.activation_keys, request)


@router.answers(contract.LIST)
async def list_signatures(
    ports: Ports, request: contract.ListSignaturesRequest
) -> contract.ListSignaturesResponse:
    return await service.list_signatures(ports.database, ports.cipher, request)
