"""HTTP side of the key exchange (spec/core-api.md §7, §8)."""

from powerauth_contracts.rest import exchange as contract
from powerauth_core.envelopes.views import closed_envelope
from powerauth_core.exchange import key_exchange, recovery
from powerauth_core.exchange.offer import Exchanged
from powerauth_core.exchange.ports import Ports
from powerauth_core.kernel.call_routes import CallRouter

router = CallRouter("Activations")
recovery_router = CallRouter("Recovery")


@router.answers(contract.PREPARE)
async def prepare(ports: Ports, asked: contract.PrepareActivationRequest) -> contract.KeyExchangeResponse:
    return _answer(
        await key_exchange.prepare(
            ports,
            code=asked.activation_code,
            closed=closed_envelope(asked, asked.application_key, asked.protocol_version),
            generate_recovery_codes=asked.generate_recovery_codes,
            application_ids=asked.application_ids,
        )
    )


@router.answers(contract.CREATE)
async def create(ports: Ports, asked: contract.CreateActivationRequest) -> contract.KeyExchangeResponse:
    return _answer(
        await key_exchange.create(
            ports,
            user_id=asked.user_id,
            closed=closed_envelope(asked, asked.application_key, asked.protocol_version),
            expires=asked.timestamp_activation_expire,
            max_failure_count=asked.max_failure_count,
            otp=asked.activation_otp,
            additional_data=asked.additional_data,
            generate_recovery_codes=asked.generate_recovery_codes,
            application_ids=asked.application_ids,
        )
    )


@recovery_router.answers(contract.RECOVERY_CREATE)
async def create_by_recovery_code(
    ports: Ports, asked: contract.CreateActivationByRecoveryRequest
) -> contract.KeyExchangeResponse:
    return _answer(
        await recovery.create(
            ports,
            code=asked.recovery_code,
            puk=asked.puk,
            closed=closed_envelope(asked, asked.application_key, asked.protocol_version),
            otp=asked.activation_otp,
            max_failure_count=asked.max_failure_count,
            generate_recovery_codes=asked.generate_recovery_codes is not False,
            application_ids=asked.application_ids,
        )
    )


def _answer(exchanged: Exchanged) -> contract.KeyExchangeResponse:
    return contract.KeyExchangeResponse(
        **exchanged.sealed.members,
        activation_id=exchanged.activation_id,
        user_id=exchanged.user_id,
        application_id=exchanged.application_id,
        activation_status=exchanged.activation_status,
    )
