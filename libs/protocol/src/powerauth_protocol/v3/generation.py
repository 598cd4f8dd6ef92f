"""The versions 3.0 to 3.3 as a generation (`powerauth_protocol.groups` says what each method means)."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.common.errors import EncodingError
from powerauth_protocol.common.json_text import write_json
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.common.values import IssuedKey, SealedStatus, StatusFacts
from powerauth_protocol.v3 import (
    counter,
    ecdsa,
    fingerprint,
    http_headers,
    offline,
    signature,
    status_blob,
    temporary_key,
    token,
    vault,
)
from powerauth_protocol.v3.activation import (
    ActivationLayer2Request,
    ActivationLayer2Response,
    ActivationRecovery,
)
from powerauth_protocol.v3.closed_envelope import ClosedEnvelope
from powerauth_protocol.v3.envelope import EciesRequest
from powerauth_protocol.v3.keys import (
    ActivationKeys,
    ActivationSecrets,
    KeyPair,
    PrivateKey,
    StatusKeys,
    derive_factor_keys,
    export_private_key,
    export_public_key,
    generate_key_pair,
    import_private_key,
    import_public_key,
    master_secret,
)
from powerauth_protocol.v3.versions import ProtocolVersion, SignatureFormat

ACTIVATION_VERSION = 3
"""What activations of this generation store as their version."""

_NO_COUNTER = bytes(counter.CTR_DATA_LENGTH)


class Headers:
    """`groups.Headers`."""

    authorization_fields: tuple[str, ...] = http_headers.AUTHORIZATION_FIELDS

    def authorization(self, fields: Mapping[str, str | None]) -> http_headers.SignatureHeader:
        """The first failed check stops."""
        return http_headers.SignatureHeader.of(fields)

    def encryption(self, fields: Mapping[str, str | None], scope: Scope) -> http_headers.EncryptionHeader:
        """The first failed check stops."""
        return http_headers.EncryptionHeader.of(fields, scope)

    def token(self, fields: Mapping[str, str | None]) -> http_headers.TokenHeader:
        """The first failed check stops."""
        return http_headers.TokenHeader.of(fields)


@dataclass(frozen=True, slots=True)
class Envelopes:
    """`groups.Envelopes`."""

    version: ProtocolVersion

    @property
    def bound_to_sender(self) -> bool:
        """From 3.2, where the MAC covers version, application key and identifiers."""
        return self.version.facts.associated_data

    @property
    def with_temporary_keys(self) -> bool:
        """In 3.3."""
        return self.version.facts.temporary_keys

    def read(self, members: Mapping[str, Any]) -> ClosedEnvelope:
        """Null equals absent, unknown members are refused."""
        return ClosedEnvelope.of(self.version, EciesRequest.from_json_dict(members, self.version))

    def read_without_body(
        self,
        *,
        temporary_key_id: str | None,
        ephemeral_public_key: bytes,
        nonce: bytes | None,
        timestamp: int | None,
    ) -> ClosedEnvelope:
        """Not even the presence of its parts is judged yet."""
        request = EciesRequest(temporary_key_id, ephemeral_public_key, b"", b"", nonce, timestamp)
        return ClosedEnvelope.of(self.version, request)

    def key(self, stored: bytes) -> PrivateKey:
        """The private key of the pair."""
        return import_private_key(stored)


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class KeyRequest:
    """`groups.KeyRequest`."""

    application_key: str | None
    activation_id: str | None
    _unverified: temporary_key.UnverifiedRequest

    def is_proved(self, application_secret: bytes, secrets: ActivationSecrets | None) -> bool:
        """HS256 with the application's secret, in activation scope with a key derived from both."""
        transport = None if secrets is None else secrets.factors.transport
        key = temporary_key.request_signing_key(self._unverified.claims.scope, application_secret, transport)
        return self._unverified.verify(key)

    def answer(
        self, key_id: str, *, issued_at_ms: int, expires_at_ms: int, signing_key: PrivateKey
    ) -> IssuedKey:
        """A new key pair; ES256."""
        pair = generate_key_pair()
        assert self.application_key is not None
        issued = temporary_key.TemporaryKey(
            key_id=key_id,
            application_key=self.application_key,
            activation_id=self.activation_id,
            challenge=self._unverified.claims.challenge,
            public_key=pair.public,
            issued_at_ms=issued_at_ms,
            expires_at_ms=expires_at_ms,
        )
        jwt = temporary_key.build_response_jwt(issued, signing_key)
        return IssuedKey(jwt, *_exported(pair), ACTIVATION_VERSION, pair.private)


class TemporaryKeys:
    """`groups.TemporaryKeys`."""

    def read(self, jwt: str) -> KeyRequest:
        """Only HS256 is accepted."""
        unverified = temporary_key.parse_request_jwt(jwt)
        return KeyRequest(unverified.claims.application_key, unverified.claims.activation_id, unverified)


class ServerKeys:
    """`groups.ServerKeys`: P-256, the scalar and the uncompressed point."""

    def new(self) -> tuple[bytes, bytes]:
        """Random."""
        return _exported(generate_key_pair())

    def read(self, stored: bytes) -> PrivateKey:
        """The scalar."""
        return import_private_key(stored)

    def public(self, key: PrivateKey) -> bytes:
        """The uncompressed point."""
        return export_public_key(key.public_key())

    def is_pair(self, key: PrivateKey, public: bytes) -> bool:
        """Compares points."""
        return key.public_key() == import_public_key(public)


class Secrets:
    """`groups.SecretsOfActivations`."""

    def read(self, server_key: bytes, device_key: bytes) -> ActivationSecrets:
        """Everything is derived from the two keys."""
        private, public = import_private_key(server_key), import_public_key(device_key)
        factors = derive_factor_keys(master_secret(private, public))
        return ActivationSecrets(private, public, factors, StatusKeys.of(factors.transport))

    def fingerprint(self, device_key: bytes, server_key: bytes, activation_id: str) -> str:
        """Over the X coordinates of both."""
        device, server = import_public_key(device_key), import_public_key(server_key)
        return fingerprint.activation_fingerprint(device, server, activation_id)


class Exchange:
    """`groups.Exchange`."""

    def read(self, plaintext: bytes) -> ActivationLayer2Request:
        """Layer 2."""
        return ActivationLayer2Request.from_json(plaintext)

    def device_key(self, offer: ActivationLayer2Request) -> bytes:
        """The uncompressed point, 65 bytes."""
        if not offer.device_public_key:
            raise EncodingError("the device key is missing")
        return export_public_key(import_public_key(offer.device_public_key))

    def answer(
        self, activation_id: str, server_key: bytes, ctr_data: bytes, recovery: ActivationRecovery | None
    ) -> bytes:
        """Layer 2."""
        return ActivationLayer2Response(activation_id, server_key, ctr_data, recovery).to_json()


@dataclass(frozen=True, slots=True)
class Codes:
    """`groups.Codes`: HMACs, in one of the two forms."""

    form: SignatureFormat
    component_length: int = signature.DEFAULT_COMPONENT_LENGTH

    def compute(self, data: bytes, keys: Sequence[bytes], ctr_data: bytes) -> str:
        """In the form of these codes."""
        return signature.compute_signature(data, keys, ctr_data, self.form, self.component_length)

    def search(
        self,
        candidates: Sequence[bytes],
        code: str,
        types: Sequence[signature.SignatureType],
        keys: ActivationKeys,
        ctr_data: bytes,
        look_ahead: int,
    ) -> signature.Match | None:
        """In the order of candidates, counter values and types."""
        return signature.verify_with_lookahead(
            candidates, code, types, keys, ctr_data, look_ahead, self.form, self.component_length
        )

    def possession_part(self, code: str) -> str:
        """The first component."""
        return signature.possession_component(code, self.form)


class Counter:
    """`groups.Counter`: a folded SHA-256."""

    length = counter.CTR_DATA_LENGTH

    def first(self) -> bytes:
        """Random."""
        return counter.generate_ctr_data()

    def next(self, ctr_data: bytes) -> bytes:
        """One step."""
        return counter.next_counter(ctr_data)


class Status:
    """`groups.Status`: a blob encrypted with the transport key."""

    challenge_length = status_blob.CHALLENGE_LENGTH

    def seal(self, facts: StatusFacts, secrets: ActivationSecrets, challenge: bytes | None) -> SealedStatus:
        """A device of 3.0, which sends no challenge, gets no counter either."""
        transport, keys, ctr_data = secrets.factors.transport, secrets.status, facts.ctr_data
        blob = status_blob.StatusBlob(
            activation_status=facts.state,
            failed_attempts=facts.failed_attempts & 0xFF,
            max_failed_attempts=facts.max_failed_attempts & 0xFF,
            ctr_byte=facts.counter & 0xFF,
            ctr_look_ahead=facts.look_ahead,
            ctr_data_hash=_NO_COUNTER if ctr_data is None else counter.keyed_hash(keys.counter, ctr_data),
        )
        if challenge is None:
            return SealedStatus(blob.without_counter().encrypt(transport), None)
        nonce = os.urandom(status_blob.NONCE_LENGTH)
        return SealedStatus(
            blob.encrypt_from(transport, status_blob.keyed_iv(keys.iv, challenge, nonce)), nonce
        )

    def random(self, *, challenged: bool) -> SealedStatus:
        """32 bytes, and a nonce exactly where a real status has one."""
        nonce = os.urandom(status_blob.NONCE_LENGTH) if challenged else None
        return SealedStatus(status_blob.random_blob(), nonce)


@dataclass(frozen=True, slots=True)
class Tokens:
    """`groups.Tokens`."""

    version: ProtocolVersion

    def new_secret(self) -> bytes:
        """16 bytes."""
        return token.generate_token_secret()

    def digest(self, secret: bytes, nonce: bytes, timestamp_ms: int) -> bytes:
        """32 bytes."""
        return token.token_digest(secret, nonce, timestamp_ms, self.version)

    def proves(self, digest: bytes, secret: bytes, nonce: bytes, timestamp_ms: int) -> bool:
        """In constant time."""
        return token.verify_token_digest(digest, secret, nonce, timestamp_ms, self.version)


class DataSignatures:
    """`groups.DataSignatures`: ECDSA with P-256."""

    def sign(self, server_key: PrivateKey, data: bytes) -> bytes:
        """DER."""
        return ecdsa.sign(server_key, data)

    def verify(self, device_key: bytes, data: bytes, signed: bytes, form: ecdsa.EcdsaFormat) -> bool:
        """Low S is not required."""
        return ecdsa.verify(import_public_key(device_key), data, signed, form)

    def offline_payload(self, data: str, nonce: bytes, server_key: PrivateKey, otp: str | None) -> str:
        """Signed with the activation's server key."""
        return offline.build_personalized(data, nonce, server_key, otp)

    def shared_offline_payload(self, data: str, nonce: bytes, master_key: PrivateKey) -> str:
        """Signed with the master key."""
        return offline.build_non_personalized(data, nonce, master_key)


class Vault:
    """`groups.Vault`."""

    def answer(self, secrets: ActivationSecrets | None) -> bytes:
        """The vault key, encrypted once more with the transport key."""
        keys = None if secrets is None else secrets.factors
        wrapped = None if keys is None else b64encode(vault.wrap_vault_key(keys.transport, keys.vault))
        return write_json({"encryptedVaultEncryptionKey": wrapped})


class V3:
    """One version of this generation; what activations keep is the same in all of them."""

    activation_version = ACTIVATION_VERSION
    headers = Headers()
    temporary_keys = TemporaryKeys()
    server_keys = ServerKeys()
    secrets = Secrets()
    exchange = Exchange()
    counter = Counter()
    status = Status()
    data_signatures = DataSignatures()
    vault = Vault()

    def __init__(self, version: ProtocolVersion) -> None:
        self.version = version
        self.codes = Codes(version.facts.signature_format)
        self.envelopes = Envelopes(version)
        self.tokens = Tokens(version)

    def offline_codes(self, component_length: int) -> Codes:
        """Decimal in every version."""
        return Codes(SignatureFormat.DECIMAL, component_length)


def _exported(pair: KeyPair) -> tuple[bytes, bytes]:
    return export_private_key(pair.private), export_public_key(pair.public)
