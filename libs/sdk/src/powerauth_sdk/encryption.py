"""End-to-end encryption on the device: temporary keys and envelopes (spec/protocol-v3.md §5, §6)."""

from __future__ import annotations

import json
import os
import time

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.groups import ProtocolVersion
from powerauth_protocol.v3.ecies import ClientEncryptor, EciesContext, EciesResponse, Scope, shared_info2_base
from powerauth_protocol.v3.http_headers import ENCRYPTION_HEADER, EncryptionHeader
from powerauth_protocol.v3.keys import PublicKey, TransportKey, import_public_key
from powerauth_protocol.v3.temporary_key import (
    TemporaryKey,
    TemporaryKeyRequest,
    build_request_jwt,
    request_signing_key,
    verify_response_jwt,
)
from powerauth_sdk.config import App, AppConfig
from powerauth_sdk.errors import UnexpectedAnswer
from powerauth_sdk.factors import transport_key
from powerauth_sdk.state import ActivationState
from powerauth_sdk.transport import (
    JSON_HEADERS,
    Answer,
    Transport,
    request_object,
    require_success,
    response_object,
)

_CHALLENGE_BYTES = 18
_EARLY_MS = 10_000


def client_encryptor(
    app: App,
    version: ProtocolVersion,
    scope: Scope,
    sh1: str,
    *,
    public_key: PublicKey,
    key_id: str | None,
    activation_id: str | None,
    transport: TransportKey | None,
) -> ClientEncryptor:
    """Make the encryptor of one request.

    :param public_key: what the request is encrypted for
    :param key_id: of a temporary key; None for a long-term one
    :param activation_id: in activation scope, with its transport key
    """
    context = EciesContext(
        version=version,
        scope=scope,
        sh1=sh1,
        application_key=app.key,
        application_secret=app.secret,
        activation_id=activation_id,
        temporary_key_id=key_id,
    )
    return ClientEncryptor(context, public_key, shared_info2_base(scope, app.secret, transport))


def temporary_key_request(
    app: App, scope: Scope, activation_id: str | None, transport: TransportKey | None, challenge: str | None
) -> tuple[TemporaryKeyRequest, str]:
    """What a request for a temporary key says, and its signed form."""
    claims = TemporaryKeyRequest(application_key=app.key, activation_id=activation_id, challenge=challenge)
    signing_key = request_signing_key(scope, b64decode(app.secret, 16), transport)
    return claims, build_request_jwt(claims, signing_key)


class Encryption:
    """Makes encryptors for one application and, once there is one, its activation.

    Temporary keys are kept in memory, one per scope, until shortly before they expire.
    """

    def __init__(self, config: AppConfig, transport: Transport) -> None:
        self._config = config
        self._transport = transport
        self._temporary: dict[Scope, TemporaryKey] = {}
        self.clock_offset_ms = 0

    def now_ms(self) -> int:
        """Epoch milliseconds by the server's clock, as far as it is known."""
        return int(time.time() * 1000) + self.clock_offset_ms

    def forget_activation(self) -> None:
        """Drop the temporary key of the activation: there is a new one, or none."""
        self._temporary.pop(Scope.ACTIVATION, None)

    async def encryptor(
        self, scope: Scope, sh1: str, state: ActivationState | None = None
    ) -> ClientEncryptor:
        """Make the encryptor of one request; gets a temporary key first where the version wants one.

        :param state: the activation, in activation scope
        :raises ServerRefused: the server gives no temporary key
        :raises ProtocolError: the server's answer is not authentic
        """
        config = self._config
        activation = state if scope is Scope.ACTIVATION else None
        temporary = (
            await self._temporary_key(scope, activation) if config.version.facts.temporary_keys else None
        )
        return client_encryptor(
            config.app(),
            config.version,
            scope,
            sh1,
            public_key=temporary.public_key if temporary else self._long_term_key(activation),
            key_id=temporary.key_id if temporary else None,
            activation_id=activation.activation_id if activation else None,
            transport=transport_key(activation) if activation else None,
        )

    async def call(
        self,
        path: str,
        scope: Scope,
        sh1: str,
        plaintext: bytes,
        *,
        state: ActivationState | None = None,
        headers: dict[str, str] | None = None,
    ) -> bytes:
        """Send one encrypted request and return the decrypted answer.

        :param headers: further headers; without an authorization header among them the encryption header
            is added (spec/protocol-v3.md §5.8)
        :raises ServerRefused: the server answered with an error
        """
        encryptor = await self.encryptor(scope, sh1, state)
        body = self.encrypt(encryptor, plaintext)
        all_headers = {**JSON_HEADERS, **(headers or self.header(scope, state))}
        return self.decrypt(encryptor, await self._transport.send("POST", path, all_headers, body))

    def encrypt(self, encryptor: ClientEncryptor, plaintext: bytes) -> bytes:
        """The JSON body of an encrypted request."""
        timestamp = self.now_ms() if self._config.version.facts.timestamp else None
        envelope = encryptor.encrypt(plaintext, timestamp=timestamp)
        return json.dumps(envelope.to_json_dict(), separators=(",", ":")).encode()

    def decrypt(self, encryptor: ClientEncryptor, answer: Answer) -> bytes:
        """The plaintext of an encrypted answer.

        :raises ServerRefused: the answer is an error
        :raises ProtocolError: the answer is not authentic
        """
        members = require_success(answer)
        return encryptor.decrypt(EciesResponse.from_json_dict(members, self._config.version))

    def header(self, scope: Scope, state: ActivationState | None) -> dict[str, str]:
        """The encryption header of a request without authorization header."""
        activation_id = state.activation_id if state and scope is Scope.ACTIVATION else None
        header = EncryptionHeader(self._config.application_key, activation_id, self._config.version.value)
        return {ENCRYPTION_HEADER: header.build()}

    def _long_term_key(self, activation: ActivationState | None) -> PublicKey:
        if activation is None:
            return self._config.master_key()
        return import_public_key(b64decode(activation.server_public_key))

    async def _temporary_key(self, scope: Scope, activation: ActivationState | None) -> TemporaryKey:
        known = self._temporary.get(scope)
        if known is not None and self.now_ms() < known.expires_at_ms - _EARLY_MS:
            return known
        claims, jwt = temporary_key_request(
            self._config.app(),
            scope,
            activation.activation_id if activation else None,
            transport_key(activation) if activation else None,
            b64encode(os.urandom(_CHALLENGE_BYTES)),
        )
        body = request_object(jwt=jwt)
        answer = await self._transport.send("POST", "/pa/v3/keystore/create", JSON_HEADERS, body)
        issued = verify_response_jwt(str(response_object(answer).get("jwt")), self._long_term_key(activation))
        if (issued.application_key, issued.activation_id, issued.challenge) != (
            claims.application_key,
            claims.activation_id,
            claims.challenge,
        ):
            raise UnexpectedAnswer("the temporary key answers another request")
        self.clock_offset_ms = issued.issued_at_ms - int(time.time() * 1000)
        self._temporary[scope] = issued
        return issued
