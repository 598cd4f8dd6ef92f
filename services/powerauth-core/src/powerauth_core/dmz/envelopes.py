"""Keys of generic envelopes for the enrollment service: one envelope, one answer (D1, protocol-v3
§5.10).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from powerauth_core.dmz import providers
from powerauth_core.dmz.providers import ClaimsContext, Stage
from powerauth_core.dmz.schemas import EnvelopeKeysAnswer, EnvelopeKeysRequest
from powerauth_core.envelopes import handout
from powerauth_core.envelopes.service import read_envelope
from powerauth_core.errors import InvalidRequest
from powerauth_protocol.encoding import b64encode
from powerauth_protocol.scope import Scope
from powerauth_protocol.versions import ProtocolVersion

if TYPE_CHECKING:
    from powerauth_core.activations.models import Activation
    from powerauth_core.container import Core
    from powerauth_core.envelopes.handout import EnvelopeKeys


async def envelope_keys(core: Core, request: EnvelopeKeysRequest) -> EnvelopeKeysAnswer:
    """``envelope/keys``: the purpose of the envelope is fixed by its scope, never a parameter.

    :raises InvalidRequest: scope and activation id do not fit, wrong fields, or the envelope was seen before
    :raises InvalidApplication: unknown or unsupported version, or one of another application
    :raises ActivationNotFound: unknown activation
    :raises IncorrectActivationState: the activation is not ACTIVE
    :raises CoreError: the MAC is wrong, or there is no key for the envelope
    """
    scope = Scope.APPLICATION if request.scope == "APPLICATION" else Scope.ACTIVATION
    if (request.activation_id is None) != (scope is Scope.APPLICATION):
        raise InvalidRequest("requestObject.activationId - does not fit the scope")
    version, env = read_envelope(request, request.protocol_version)
    async with core.database.transaction() as session:
        activation = await handout.usable_activation(session, request.activation_id)
        application = await handout.usable_application(core, session, request.application_key, activation)
        keys = await handout.hand_out_keys(
            core,
            session,
            scope=scope,
            env=env,
            application=application,
            activation=activation,
            version=version,
        )
    answer = _keys_answer(keys, version)
    if activation is not None:
        await _add_activation(core, answer, activation, application.application_id, request)
    return answer


def _keys_answer(keys: EnvelopeKeys, version: ProtocolVersion) -> EnvelopeKeysAnswer:
    if not version.associated_data:
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


async def _add_activation(
    core: Core,
    answer: EnvelopeKeysAnswer,
    activation: Activation,
    application_id: str,
    request: EnvelopeKeysRequest,
) -> None:
    answer.activation_id = activation.activation_id
    answer.user_id = activation.user_id
    answer.application_id = application_id
    answer.activation_status = activation.activation_status
    if request.with_user_info:
        context = ClaimsContext(Stage.USER_INFO, activation.user_id, activation.activation_id, application_id)
        answer.user_info = await providers.user_claims(core, context)
