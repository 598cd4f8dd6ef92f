"""An envelope of 3.x with whoever receives it: closed, opened by the core, or opened at the edge with keys
that the core hands out (spec/protocol-v3.md §5.5, §5.9, §5.10).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from powerauth_protocol.common.encoding import b64decode, b64encode, require_length, utf8
from powerauth_protocol.common.errors import DecryptionError, EncodingError
from powerauth_protocol.common.scope import Party, Scope
from powerauth_protocol.v3 import ecies
from powerauth_protocol.v3.ecies_derivation import (
    ENVELOPE_KEY_LENGTH,
    NONCE_LENGTH,
    EciesContext,
    EnvelopeKey,
    SharedInfo1,
)
from powerauth_protocol.v3.envelope import EciesRequest
from powerauth_protocol.v3.keys import ActivationSecrets, PrivateKey
from powerauth_protocol.v3.versions import ProtocolVersion


# Values, never changed. Not frozen: that makes them five times as dear.
@dataclass(slots=True)
class OpenedEnvelope:
    """A decrypted request that waits for its one answer."""

    plaintext: bytes = field(repr=False)
    _envelope: ecies.ServerEnvelope = field(repr=False)
    _timed: bool

    def seal(self, plaintext: bytes, now_ms: int) -> dict[str, Any]:
        """Encrypt the answer; returns its JSON members.

        :param now_ms: ms since the epoch, for a version whose answers say it
        :raises ProtocolError: it cannot be encrypted, or an answer was encrypted before
        """
        response = self._envelope.encrypt(plaintext, timestamp=now_ms if self._timed else None)
        return response.to_json_dict()


# Not frozen either.
@dataclass(slots=True)
class EdgeEnvelope:
    """A request that was opened with handed-out keys, and what its one answer is sealed with."""

    plaintext: bytes = field(repr=False)
    _version: ProtocolVersion
    _key: EnvelopeKey = field(repr=False)
    _keys: Mapping[str, Any] = field(repr=False)
    _legacy: ecies.ServerEnvelope | None = field(repr=False)

    def seal(self, plaintext: bytes) -> dict[str, Any]:
        """Encrypt the answer, from 3.2 with the nonce and time that the core has fixed; returns its JSON
        members.

        :raises ProtocolError: it cannot be encrypted with these keys
        """
        if self._legacy is not None:
            return self._legacy.encrypt(plaintext).to_json_dict()
        return ecies.encrypt_response(
            self._version,
            self._key,
            _handed_out(self._keys, "response_shared_info2"),
            plaintext,
            nonce=_handed_out(self._keys, "response_nonce"),
            timestamp=self._keys.get("response_timestamp"),
        ).to_json_dict()


# Not frozen either.
@dataclass(slots=True)
class ClosedEnvelope:
    """A request's envelope, judged by its form only.

    :ivar version: of the header that it came with
    :ivar temporary_key_id: that it was encrypted for; None for a long-term key
    :ivar timestamp: when it was made, ms since the epoch; None before 3.2
    """

    version: ProtocolVersion
    temporary_key_id: str | None
    timestamp: int | None
    _request: EciesRequest = field(repr=False)

    @classmethod
    def of(cls, version: ProtocolVersion, request: EciesRequest) -> ClosedEnvelope:
        """The envelope whose members have been read."""
        return cls(version, request.temporary_key_id, request.timestamp, request)

    def members(self) -> dict[str, Any]:
        """The JSON members; absent ones are left out."""
        return self._request.to_json_dict()

    def replay_value(self, activation_id: str | None) -> bytes:
        """What makes it unique (spec/protocol-v3.md §5.9).

        Before 3.2 that is the ephemeral key alone: the MAC does not cover the nonce, and there is no time.

        :param activation_id: in activation scope
        """
        nonce = b"" if self.timestamp is None else self._request.nonce or b""
        return self._request.ephemeral_public_key + nonce + utf8(activation_id or "")

    def open(
        self, purpose: SharedInfo1, party: Party, secrets: ActivationSecrets | None, key: PrivateKey
    ) -> OpenedEnvelope:
        """Verify and decrypt.

        :param secrets: of the activation, in activation scope
        :param key: the temporary key that it names, or the long-term key
        :raises ProtocolError: it does not open
        """
        context = self._context(purpose, party)
        plaintext, envelope = ecies.open_envelope(context, key, _base(party, secrets), self._request)
        return OpenedEnvelope(plaintext, envelope, self.version.facts.timestamp)

    def edge_keys(self, party: Party, key: PrivateKey, now_ms: int) -> dict[str, Any]:
        """What an edge needs to open this one generic envelope of application scope and to seal its answer,
        once the MAC is verified (D1): finished values from 3.2, before that the base, which is all there is.

        :return: Base64 texts by name
        :raises ProtocolError: it does not open
        """
        envelope_key = self._envelope_key(Scope.APPLICATION, key)
        context, base = self._context(SharedInfo1.APPLICATION_GENERIC, party), _base(party, None)
        request_info = ecies.request_shared_info2(context, base, self._request)
        if not ecies.verify_request_mac(envelope_key, request_info, self._request):
            raise DecryptionError
        if not self.version.facts.associated_data:
            return {"secret_key": b64encode(envelope_key), "shared_info2": b64encode(base)}
        nonce = os.urandom(NONCE_LENGTH)
        response_info = ecies.response_shared_info2(context, base, nonce, now_ms)
        return {
            "secret_key": b64encode(envelope_key),
            "request_shared_info2": b64encode(request_info),
            "response_nonce": b64encode(nonce),
            "response_timestamp": now_ms,
            "response_shared_info2": b64encode(response_info),
        }

    def lasting_keys(
        self, party: Party, secrets: ActivationSecrets | None, key: PrivateKey
    ) -> tuple[bytes, bytes]:
        """Envelope key, 48 bytes, and base of sharedInfo2, 32 bytes, for a caller that has the ciphertext.

        :raises ProtocolError: the fields do not fit the version, or the ephemeral key is no point
        """
        return self._envelope_key(party.scope, key), _base(party, secrets)

    def open_at_edge(self, party: Party, keys: Mapping[str, Any]) -> EdgeEnvelope:
        """Verify and decrypt with the result of `edge_keys`.

        :raises DecryptionError: the MAC is wrong
        :raises EncodingError: the keys are unusable
        """
        version, key = self.version, EnvelopeKey(b64decode(keys["secret_key"], ENVELOPE_KEY_LENGTH))
        if version.facts.associated_data:
            request_info = _handed_out(keys, "request_shared_info2")
            plaintext = ecies.decrypt_request(version, key, request_info, self._request)
            return EdgeEnvelope(plaintext, version, key, keys, None)
        context = self._context(SharedInfo1.APPLICATION_GENERIC, party)
        legacy = ecies.ServerEnvelope.from_secret(
            context, key, _handed_out(keys, "shared_info2"), self._request
        )
        return EdgeEnvelope(legacy.decrypt(self._request), version, key, keys, legacy)

    def _envelope_key(self, scope: Scope, key: PrivateKey) -> EnvelopeKey:
        self._request.check(self.version)
        if self._request.nonce is not None:
            require_length(self._request.nonce, NONCE_LENGTH)
        purpose = SharedInfo1.generic(scope)
        return ecies.derive_envelope_key(key, self._request.ephemeral_public_key, purpose, self.version)

    def _context(self, purpose: SharedInfo1, party: Party) -> EciesContext:
        return EciesContext(
            version=self.version,
            scope=party.scope,
            sh1=purpose,
            application_key=party.application_key,
            application_secret=party.application_secret,
            activation_id=party.activation_id,
            temporary_key_id=self.temporary_key_id,
        )


def _base(party: Party, secrets: ActivationSecrets | None) -> bytes:
    transport = None if secrets is None else secrets.factors.transport
    return ecies.shared_info2_base(party.scope, party.application_secret, transport)


def _handed_out(keys: Mapping[str, Any], name: str) -> bytes:
    text = keys.get(name)
    if text is None:
        raise EncodingError("missing")
    return b64decode(text)
