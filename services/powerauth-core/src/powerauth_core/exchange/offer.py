"""What a device offers in a key exchange, layer 2, decrypted and checked, and what it is answered
(spec/protocol-v3.md §4.2, §4.3).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.wire import checked_json
from powerauth_core.activations.stored import AnyActivation
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.envelopes.service import (
    Opened,
    Sealed,
    decrypt_application_envelope,
    open_envelope,
    remember,
)
from powerauth_core.exchange.ports import Ports
from powerauth_core.kernel.errors import (
    CryptographyFailed,
    InvalidInputFormat,
    InvalidKeyFormat,
    InvalidRequest,
    TemporaryKeyMissing,
)
from powerauth_core.temporary_keys import repository as temporary_keys
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError
from powerauth_protocol.generation import Generation, generation_of
from powerauth_protocol.groups import DeviceOffer, Envelope, EnvelopePurpose
from powerauth_protocol.v3.activation import ActivationRecovery, DeviceKeyFormatError
from servicekit import clock

UNKNOWN_PLATFORM = "unknown"
_PURPOSE = EnvelopePurpose.ACTIVATION_LAYER_2
_TEXT_LENGTH = 255
_EXTRAS_LENGTH = 4000


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class Offer:
    """A device's layer 2 request whose key is one and whose texts fit their columns.

    :ivar device_key: as it is stored
    """

    generation: Generation
    layer2: DeviceOffer
    device_key: bytes
    opened: Opened = field(repr=False)

    @property
    def otp(self) -> str | None:
        """The activation OTP that the device sent, asked for or not."""
        return self.layer2.activation_otp


# Not frozen either.
@dataclass(slots=True)
class Exchanged:
    """A finished key exchange.

    :ivar sealed: layer 2 of the answer
    :ivar activation_status: the state after it
    """

    sealed: Sealed = field(repr=False)
    activation_id: str
    user_id: str
    application_id: str
    activation_status: ActivationStatus

    @classmethod
    def of(cls, activation: AnyActivation, application: ApplicationFacts, sealed: Sealed) -> Exchanged:
        """That of an activation as it is now."""
        return cls(
            sealed,
            activation.activation_id,
            activation.user_id,
            application.application_id,
            activation.activation_status,
        )


async def open_offer(
    ports: Ports,
    session: AsyncSession,
    application: ApplicationFacts,
    envelope: Envelope,
    opened: Offer | None = None,
) -> Offer:
    """Decrypt and check layer 2 before any record is looked up (spec/protocol-v3.md §4.3 steps 3 to 5, 11).

    :param opened: what `open_unremembered_offer` gave; then its envelope is remembered here, if its temporary
        key is still there
    :raises InvalidInputFormat: not the JSON of a layer 2 request
    :raises InvalidRequest: the device key is missing, a text is too long, or the envelope was accepted before
    :raises InvalidKeyFormat: the device key is none
    :raises CoreError: the envelope does not open
    """
    if opened is None:
        decrypted = await open_envelope(
            ports, session, envelope=envelope, purpose=_PURPOSE, application=application, activation=None
        )
        return _offer(envelope, decrypted)
    key_id = envelope.temporary_key_id
    if key_id is not None and not await temporary_keys.is_usable(session, key_id, clock.now()):
        raise TemporaryKeyMissing()
    await remember(ports.settings, session, envelope, None)
    return opened


async def open_unremembered_offer(ports: Ports, application: ApplicationFacts, envelope: Envelope) -> Offer:
    """The same, not inside a session's block: whoever stores what comes of it remembers the envelope, if its
    temporary key is still there.
    """
    return _offer(envelope, await decrypt_application_envelope(ports, envelope, _PURPOSE, application))


def _offer(envelope: Envelope, opened: Opened) -> Offer:
    generation = generation_of(envelope.version)
    layer2 = _parsed(generation, opened.plaintext)
    _check_texts(layer2)
    try:
        device_key = generation.exchange.device_key(layer2)
    except EncodingError:
        raise InvalidRequest() from None
    except KeyFormatError:
        raise InvalidKeyFormat() from None
    return Offer(generation, layer2, device_key, opened)


def accept(activation: AnyActivation, offer: Offer) -> None:
    """Store the device's key and description and the first counter value with a locked activation."""
    layer2 = offer.layer2
    activation.device_public_key_base64 = b64encode(offer.device_key)
    activation.activation_name = layer2.activation_name
    activation.external_id = layer2.external_id
    activation.extras = layer2.extras
    activation.platform = UNKNOWN_PLATFORM if layer2.platform is None else layer2.platform.lower()
    activation.device_info = layer2.device_info
    activation.version = offer.generation.activation_version
    activation.ctr_data = b64encode(offer.generation.counter.first())


def seal_answer(offer: Offer, activation: AnyActivation, recovery: ActivationRecovery | None) -> Sealed:
    """Encrypt layer 2 of the answer.

    :raises CryptographyFailed: a stored column is not Base64
    """
    try:
        answer = offer.generation.exchange.answer(
            activation.activation_id,
            b64decode(activation.server_public_key_base64),
            b64decode(activation.ctr_data or ""),
            recovery,
        )
    except EncodingError:
        raise CryptographyFailed() from None
    return offer.opened.seal(answer)


def _parsed(generation: Generation, plaintext: bytes) -> DeviceOffer:
    try:
        return generation.exchange.read(plaintext)
    except DeviceKeyFormatError:
        raise InvalidKeyFormat() from None
    except EncodingError:
        raise InvalidInputFormat() from None


def _check_texts(layer2: DeviceOffer) -> None:
    texts = (layer2.activation_name, layer2.external_id, layer2.platform, layer2.device_info)
    if any(len(text or "") > _TEXT_LENGTH for text in texts) or len(layer2.extras or "") > _EXTRAS_LENGTH:
        raise InvalidRequest()
    try:
        checked_json([*texts, layer2.extras, layer2.activation_otp])
    except ValueError:
        raise InvalidInputFormat() from None
