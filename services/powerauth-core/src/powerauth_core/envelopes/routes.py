"""HTTP side of the envelope call (spec/core-api.md §12)."""

from powerauth_contracts.rest import envelopes as contract
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.ports import Ports
from powerauth_core.envelopes.service import read_version
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.kernel.errors import InvalidRequest
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.groups import Envelope

router = CallRouter("Envelopes")


@router.answers(contract.DECRYPTOR)
async def decryptor(ports: Ports, asked: contract.DecryptorRequest) -> contract.DecryptorResponse:
    secret, base = await handout.decryptor(
        ports,
        envelope=_without_body(asked),
        application_key=asked.application_key,
        activation_id=asked.activation_id,
        scope=asked.application_ids,
    )
    return contract.DecryptorResponse(secret_key=b64encode(secret), shared_info2=b64encode(base))


def _without_body(asked: contract.DecryptorRequest) -> Envelope:
    """The part of an envelope that the decryptor call carries.

    :raises DecryptionFailed: unknown protocol version
    :raises InvalidRequest: a member is not Base64
    """
    envelopes = read_version(asked.protocol_version).envelopes
    try:
        return envelopes.read_without_body(
            temporary_key_id=asked.temporary_key_id,
            ephemeral_public_key=b64decode(asked.ephemeral_public_key),
            nonce=None if asked.nonce is None else b64decode(asked.nonce),
            timestamp=asked.timestamp,
        )
    except EncodingError:
        raise InvalidRequest() from None
