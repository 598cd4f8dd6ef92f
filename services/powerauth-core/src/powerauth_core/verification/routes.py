"""HTTP of the signature calls (spec/core-api.md §9)."""

from powerauth_contracts.enums import EcdsaSignatureFormat
from powerauth_contracts.rest import verification as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_core.verification import ecdsa, offline, service
from powerauth_core.verification.offline import OfflinePayload, Proximity
from powerauth_core.verification.ports import Ports
from powerauth_core.verification.views import audit_item, verification_answer, verify_signature
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.v3.ecdsa import EcdsaFormat

router = CallRouter("Signatures")
router.answers(contract.VERIFY)(verify_signature)


@router.answers(contract.OFFLINE_PERSONALIZED_CREATE)
async def create_personalized(
    ports: Ports, asked: contract.CreatePersonalizedPayloadRequest
) -> contract.OfflinePayloadResponse:
    check = asked.proximity_check
    return _payload(
        await offline.create_personalized(
            ports,
            activation_id=asked.activation_id,
            data=asked.data,
            nonce=asked.nonce,
            proximity=None if check is None else Proximity(check.seed, check.step_length),
            scope=asked.application_ids,
        )
    )


@router.answers(contract.OFFLINE_NON_PERSONALIZED_CREATE)
async def create_non_personalized(
    ports: Ports, asked: contract.CreateNonPersonalizedPayloadRequest
) -> contract.OfflinePayloadResponse:
    return _payload(
        await offline.create_non_personalized(
            ports.database,
            ports.application_cache,
            application_id=asked.application_id,
            data=asked.data,
            scope=asked.application_ids,
        )
    )


@router.answers(contract.OFFLINE_VERIFY)
async def verify_offline(
    ports: Ports, asked: contract.VerifyOfflineSignatureRequest
) -> contract.VerifySignatureResponse:
    check = asked.proximity_check
    verified = await offline.verify(
        ports.settings,
        ports.verifier,
        activation_id=asked.activation_id,
        data=asked.data,
        signature=asked.signature,
        component_length=asked.component_length,
        biometry=asked.allow_biometry,
        proximity=None if check is None else Proximity(check.seed, check.step_length, check.step_count),
        scope=asked.application_ids,
    )
    return verification_answer(asked.activation_id, verified)


@router.answers(contract.ECDSA_VERIFY)
async def verify_ecdsa(ports: Ports, asked: contract.VerifyEcdsaRequest) -> contract.VerifyEcdsaResponse:
    valid = await ecdsa.verify(
        ports.database,
        activation_id=asked.activation_id,
        data=_decoded(asked.data, "data"),
        signature=_decoded(asked.signature, "signature"),
        form=EcdsaFormat(asked.signature_format or EcdsaSignatureFormat.DER),
        scope=asked.application_ids,
    )
    return contract.VerifyEcdsaResponse(signature_valid=valid)


@router.answers(contract.ECDSA_SIGN)
async def sign_ecdsa(ports: Ports, asked: contract.SignEcdsaRequest) -> contract.SignEcdsaResponse:
    signature = await ecdsa.sign(
        ports.database,
        ports.activation_keys,
        activation_id=asked.activation_id,
        data=_decoded(asked.data, "data"),
        scope=asked.application_ids,
    )
    return contract.SignEcdsaResponse(signature=b64encode(signature))


@router.answers(contract.LIST)
async def list_signatures(
    ports: Ports, asked: contract.ListSignaturesRequest
) -> contract.ListSignaturesResponse:
    listed = await service.list_signatures(
        ports.reading,
        ports.cipher,
        user_id=asked.user_id,
        application_id=asked.application_id,
        since=asked.timestamp_from,
        until=asked.timestamp_to,
        scope=asked.application_ids,
    )
    return contract.ListSignaturesResponse(items=[audit_item(asked.user_id, one) for one in listed])


def _payload(made: OfflinePayload) -> contract.OfflinePayloadResponse:
    return contract.OfflinePayloadResponse(offline_data=made.text, nonce=b64encode(made.nonce))


def _decoded(text: str, name: str) -> bytes:
    try:
        return b64decode(text)
    except EncodingError:
        raise InvalidRequest(f"requestObject.{name} - must be Base64") from None
