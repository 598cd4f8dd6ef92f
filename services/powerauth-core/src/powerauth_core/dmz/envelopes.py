"""Keys of generic envelopes of application scope for the enrollment service: one envelope, one answer (D1,
protocol-v3 §5.10).
"""

from __future__ import annotations

from powerauth_contracts.dmz.models import EnvelopeKeysAnswer, EnvelopeKeysRequest
from powerauth_core.dmz.ports import Ports
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.views import closed_envelope


async def envelope_keys(ports: Ports, request: EnvelopeKeysRequest) -> EnvelopeKeysAnswer:
    """``envelope/keys``: scope and purpose of the envelope are fixed, never parameters.

    :raises InvalidRequest: wrong fields, or the envelope was seen before
    :raises InvalidApplication: unknown or unsupported version
    :raises CoreError: the MAC is wrong, or there is no key for the envelope
    """
    envelope = closed_envelope(request, request.application_key, request.protocol_version).judged()
    return EnvelopeKeysAnswer(
        **await handout.hand_out_keys(ports, envelope=envelope, application_key=request.application_key)
    )
