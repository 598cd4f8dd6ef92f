"""Keys of generic envelopes of application scope for the enrollment service: one envelope, one answer (D1,
protocol-v3 §5.10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powerauth_contracts.dmz.models import EnvelopeKeysAnswer, EnvelopeKeysRequest
from powerauth_core.dmz.ports import Ports
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.service import read_envelope
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.v3.versions import ProtocolVersion

if TYPE_CHECKING:
    from powerauth_core.envelopes.handout import EnvelopeKeys


async def envelope_keys(ports: Ports, request: EnvelopeKeysRequest) -> EnvelopeKeysAnswer:
    """``envelope/keys``: scope and purpose of the envelope are fixed, never parameters.

    :raises InvalidRequest: wrong fields, or the envelope was seen before
    :raises InvalidApplication: unknown or unsupported version
    :raises CoreError: the MAC is wrong, or there is no key for the envelope
    """
    version, env = read_envelope(request, request.protocol_version)
    async with ports.database.transaction() as session:
        application = await handout.usable_application(
            ports.application_cache, session, request.application_key, None
        )
        keys = await handout.hand_out_keys(ports, session, env=env, application=application, version=version)
    return _keys_answer(keys, version)


def _keys_answer(keys: EnvelopeKeys, version: ProtocolVersion) -> EnvelopeKeysAnswer:
    if not version.facts.associated_data:
        # All that 3.0 and 3.1 have: the base is the whole MAC input.
        return EnvelopeKeysAnswer(
            secret_key=b64encode(keys.secret_key), shared_info2=b64encode(keys.shared_info2_base)
        )
    return EnvelopeKeysAnswer(
        secret_key=b64encode(keys.secret_key),
        request_shared_info2=b64encode(keys.request_shared_info2),
        response_nonce=b64encode(keys.response_nonce or b""),
        response_timestamp=keys.response_timestamp,
        response_shared_info2=b64encode(keys.response_shared_info2),
    )
