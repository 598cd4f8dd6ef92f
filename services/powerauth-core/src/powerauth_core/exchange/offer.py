"""What a device offers in a key exchange: layer 2, decrypted and checked (spec/protocol-v3.md §4.2, §4.3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.wire import checked_json
from powerauth_core.activations.models import Activation
from powerauth_core.activations.rules import ACTIVATION_VERSION
from powerauth_core.applications.cache import ApplicationFacts
from powerauth_core.envelopes.service import Opened, open_envelope
from powerauth_core.exchange.ports import Ports
from powerauth_core.kernel.errors import (
    CryptographyFailed,
    InvalidInputFormat,
    InvalidKeyFormat,
    InvalidRequest,
)
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import EncodingError, KeyFormatError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.v3.activation import (
    ActivationLayer2Request,
    ActivationLayer2Response,
    ActivationRecovery,
    DeviceKeyFormatError,
)
from powerauth_protocol.v3.counter import generate_ctr_data
from powerauth_protocol.v3.ecies import EciesRequest, SharedInfo1
from powerauth_protocol.v3.keys import PublicKey, export_public_key, import_public_key
from powerauth_protocol.v3.versions import ProtocolVersion

if TYPE_CHECKING:
    from powerauth_contracts.envelopes import SealedFields

UNKNOWN_PLATFORM = "unknown"
_TEXT_LENGTH = 255
_EXTRAS_LENGTH = 4000


@dataclass(frozen=True, slots=True)
class ClosedOffer:
    """Layer 2 as it came: of which application version, and its envelope, judged by its form only."""

    application_key: str
    version: ProtocolVersion
    envelope: EciesRequest = field(repr=False)


@dataclass(frozen=True, slots=True)
class Offer:
    """A device's layer 2 request whose key is a point of the curve and whose texts fit their columns."""

    layer2: ActivationLayer2Request
    device_key: PublicKey
    opened: Opened = field(repr=False)

    @property
    def otp(self) -> str | None:
        """The activation OTP that the device sent, asked for or not."""
        return self.layer2.activation_otp


async def open_offer(
    ports: Ports,
    session: AsyncSession,
    application: ApplicationFacts,
    closed: ClosedOffer,
) -> Offer:
    """Decrypt and check layer 2 before any record is looked up (spec/protocol-v3.md §4.3 steps 3 to 5, 11).

    :raises InvalidInputFormat: not the JSON of a layer 2 request
    :raises InvalidRequest: the device key is missing, a text is too long, or the envelope was accepted before
    :raises InvalidKeyFormat: the device key is not a point of the curve
    :raises CoreError: the envelope does not open
    """
    opened = await open_envelope(
        ports,
        session,
        scope=Scope.APPLICATION,
        sh1=SharedInfo1.ACTIVATION_LAYER_2,
        env=closed.envelope,
        application=application,
        activation=None,
        version=closed.version,
    )
    layer2 = _parsed(opened.plaintext)
    _check_texts(layer2)
    if not layer2.device_public_key:
        raise InvalidRequest()
    try:
        device_key = import_public_key(layer2.device_public_key)
    except KeyFormatError:
        raise InvalidKeyFormat() from None
    return Offer(layer2, device_key, opened)


def accept(activation: Activation, offer: Offer) -> None:
    """Store the device's key and description and the first counter value with a locked activation."""
    layer2 = offer.layer2
    activation.device_public_key_base64 = b64encode(export_public_key(offer.device_key))
    activation.activation_name = layer2.activation_name
    activation.external_id = layer2.external_id
    activation.extras = layer2.extras
    activation.platform = UNKNOWN_PLATFORM if layer2.platform is None else layer2.platform.lower()
    activation.device_info = layer2.device_info
    activation.version = ACTIVATION_VERSION
    activation.ctr_data = b64encode(generate_ctr_data())


def seal_answer(offer: Offer, activation: Activation, recovery: ActivationRecovery | None) -> SealedFields:
    """Encrypt layer 2 of the answer.

    :raises CryptographyFailed: a stored column is not Base64
    """
    try:
        answer = ActivationLayer2Response(
            activation_id=activation.activation_id,
            server_public_key=b64decode(activation.server_public_key_base64),
            ctr_data=b64decode(activation.ctr_data or ""),
            activation_recovery=recovery,
        )
    except EncodingError:
        raise CryptographyFailed() from None
    return offer.opened.seal(answer.to_json())


def _parsed(plaintext: bytes) -> ActivationLayer2Request:
    try:
        return ActivationLayer2Request.from_json(plaintext)
    except DeviceKeyFormatError:
        raise InvalidKeyFormat() from None
    except EncodingError:
        raise InvalidInputFormat() from None


def _check_texts(layer2: ActivationLayer2Request) -> None:
    texts = (layer2.activation_name, layer2.external_id, layer2.platform, layer2.device_info)
    if any(len(text or "") > _TEXT_LENGTH for text in texts) or len(layer2.extras or "") > _EXTRAS_LENGTH:
        raise InvalidRequest()
    try:
        checked_json([*texts, layer2.extras, layer2.activation_otp])
    except ValueError:
        raise InvalidInputFormat() from None
