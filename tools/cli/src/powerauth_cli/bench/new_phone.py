"""A phone that is activated under load: it computes beforehand, meanwhile and afterwards (protocol 3.3)."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.generation import NEWEST
from powerauth_protocol.v3.activation import ActivationLayer1Request, ActivationLayer1Response, ActivationType
from powerauth_protocol.v3.ecies import ClientEncryptor, EciesResponse, Scope, SharedInfo1
from powerauth_protocol.v3.keys import generate_key_pair
from powerauth_protocol.v3.temporary_key import TemporaryKey, UnverifiedResponse, parse_response_jwt
from powerauth_sdk import DeviceProfile
from powerauth_sdk.activation import Exchanged, layer2_request
from powerauth_sdk.config import App
from powerauth_sdk.encryption import client_encryptor, temporary_key_request
from powerauth_sdk.transport import request_object

_PROFILE = DeviceProfile(name="bench")
_SCOPE = Scope.APPLICATION


@dataclass(slots=True)
class Offer:
    """A request of a key exchange, and what opens its answer.

    :ivar body: as it is posted
    """

    body: bytes = field(repr=False)
    issued: UnverifiedResponse
    layer1: ClientEncryptor
    layer2: ClientEncryptor


class NewPhone:
    """A phone before its activation, with all that it can compute without the server."""

    def __init__(self, app: App) -> None:
        self.device = generate_key_pair()
        self._ephemeral = generate_key_pair(), generate_key_pair()
        self._inner = layer2_request(self.device, _PROFILE, None)
        self.challenge = b64encode(os.urandom(18))
        _, jwt = temporary_key_request(app, _SCOPE, None, None, self.challenge)
        self.key_request = request_object(jwt=jwt)

    def offer(self, app: App, jwt: str, code: str) -> Offer:
        """The request of the key exchange.

        :param jwt: the temporary key, whose signature is looked at later
        :param code: of the activation
        """
        issued, now_ms = parse_response_jwt(jwt), time.time_ns() // 1_000_000
        layer2 = _encryptor(app, SharedInfo1.ACTIVATION_LAYER_2, issued.claims)
        layer1 = _encryptor(app, SharedInfo1.APPLICATION_GENERIC, issued.claims)
        inner, outer = self._ephemeral
        plaintext = ActivationLayer1Request(
            type=ActivationType.CODE,
            identity_attributes={"code": code},
            activation_data=layer2.encrypt(self._inner, ephemeral=inner, timestamp=now_ms),
        ).to_json()
        envelope = layer1.encrypt(plaintext, ephemeral=outer, timestamp=now_ms)
        body = json.dumps(envelope.to_json_dict(), separators=(",", ":")).encode()
        return Offer(body, issued, layer1, layer2)


@dataclass(slots=True)
class Activated:
    """A phone with the answers that it has not looked at yet."""

    phone: NewPhone
    offer: Offer
    sealed: bytes = field(repr=False)
    activation_id: str

    def is_right(self, app: App) -> bool:
        """Whether the temporary key answers this phone's request, and the answer is for this activation.

        :raises ProtocolError: the answer does not open
        """
        issued = self.offer.issued
        if not issued.verify(app.master_public_key) or issued.claims.challenge != self.phone.challenge:
            return False
        response = EciesResponse.from_json_dict(json.loads(self.sealed), NEWEST)
        answer = ActivationLayer1Response.from_json(self.offer.layer1.decrypt(response), NEWEST)
        exchanged = Exchanged.read(self.phone.device, self.offer.layer2.decrypt(answer.activation_data))
        return exchanged.activation_id == self.activation_id


def _encryptor(app: App, purpose: SharedInfo1, key: TemporaryKey) -> ClientEncryptor:
    return client_encryptor(
        app,
        NEWEST,
        _SCOPE,
        purpose,
        public_key=key.public_key,
        key_id=key.key_id,
        activation_id=None,
        transport=None,
    )
