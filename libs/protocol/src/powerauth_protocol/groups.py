"""What a generation of the protocol does, in small groups of methods (`powerauth_protocol.generation`).

What a generation hands out (keys, envelopes, codes) is opaque: it goes back into the same generation, and
nothing else looks inside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from powerauth_protocol.common.scope import Party, Scope
from powerauth_protocol.common.values import IssuedKey, SealedStatus, StatusFacts
from powerauth_protocol.v3.activation import ActivationLayer2Request, ActivationRecovery
from powerauth_protocol.v3.ecdsa import EcdsaFormat
from powerauth_protocol.v3.ecies_derivation import SharedInfo1
from powerauth_protocol.v3.http_headers import EncryptionHeader, SignatureHeader, TokenHeader
from powerauth_protocol.v3.keys import ActivationKeys, ActivationSecrets, PrivateKey
from powerauth_protocol.v3.signature import Match, SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion as V3Version

ProtocolVersion: TypeAlias = V3Version
"""A version as it is written in headers; each generation has an enumeration of its own."""

Secrets: TypeAlias = ActivationSecrets
"""What a server keeps of an activation after its key exchange."""

FactorKeys: TypeAlias = ActivationKeys
"""The keys that codes are made with."""

ServerKey: TypeAlias = PrivateKey
"""A long-term private key of an application or an activation."""

EnvelopeKey: TypeAlias = PrivateKey
"""What an envelope was encrypted for: a temporary key, or a long-term one."""

EnvelopePurpose: TypeAlias = SharedInfo1
"""What an envelope is for."""

DeviceOffer: TypeAlias = ActivationLayer2Request
"""What a device offers in a key exchange, and tells about itself."""


class Headers(Protocol):
    """The PowerAuth headers of a request, out of their fields by wire name.

    Each raises `HeaderError` with the name of the first failed check.

    :cvar authorization_fields: wire names of the authorization header, in the order of its members
    """

    authorization_fields: tuple[str, ...]

    def authorization(self, fields: Mapping[str, str | None]) -> SignatureHeader:
        """Who signs, and the code."""
        ...

    def encryption(self, fields: Mapping[str, str | None], scope: Scope) -> EncryptionHeader:
        """Whose envelope it is; the activation exactly in activation scope."""
        ...

    def token(self, fields: Mapping[str, str | None]) -> TokenHeader:
        """A token and its digest."""
        ...


class OpenedEnvelope(Protocol):
    """A decrypted request that waits for its one answer."""

    @property
    def plaintext(self) -> bytes:
        """What the device sent."""
        ...

    def seal(self, plaintext: bytes, now_ms: int) -> dict[str, Any]:
        """Encrypt the answer, once; returns its JSON members.

        :raises ProtocolError: it cannot be encrypted, or an answer was encrypted before
        """
        ...


class EdgeEnvelope(Protocol):
    """A request that was opened with handed-out keys."""

    @property
    def plaintext(self) -> bytes:
        """What the device sent."""
        ...

    def seal(self, plaintext: bytes) -> dict[str, Any]:
        """Encrypt the one answer; returns its JSON members.

        :raises ProtocolError: it cannot be encrypted with these keys
        """
        ...


class Envelope(Protocol):
    """A request's envelope, judged by its form only."""

    @property
    def version(self) -> ProtocolVersion:
        """Version of the header that it came with."""
        ...

    @property
    def timestamp(self) -> int | None:
        """When it was made, ms since the epoch; None in versions that do not say it."""
        ...

    @property
    def temporary_key_id(self) -> str | None:
        """The temporary key that it was encrypted for; None for a long-term key."""
        ...

    def members(self) -> dict[str, Any]:
        """The JSON members; absent ones are left out."""
        ...

    def replay_value(self, activation_id: str | None) -> bytes:
        """What makes it unique.

        :param activation_id: in activation scope
        """
        ...

    def open(
        self, purpose: EnvelopePurpose, party: Party, secrets: Secrets | None, key: EnvelopeKey
    ) -> OpenedEnvelope:
        """Verify and decrypt.

        :param purpose: never one that the caller of the core may choose
        :param secrets: of the activation, in activation scope
        :param key: the temporary key that it names, or the long-term key
        :raises ProtocolError: it does not open
        """
        ...

    def edge_keys(self, party: Party, key: EnvelopeKey, now_ms: int) -> dict[str, Any]:
        """What an edge needs to open this one generic envelope of application scope and to seal its one
        answer, after it was verified (D1).

        :return: values by the names of the contract
        :raises ProtocolError: it does not open
        """
        ...

    def lasting_keys(self, party: Party, secrets: Secrets | None, key: EnvelopeKey) -> tuple[bytes, bytes]:
        """Envelope key and base of the shared information, for a caller that has the ciphertext
        (spec/core-api.md §12).

        :raises ProtocolError: the fields do not fit the version, or the key cannot be derived
        """
        ...

    def open_at_edge(self, party: Party, keys: Mapping[str, Any]) -> EdgeEnvelope:
        """Verify and decrypt with the result of `edge_keys`.

        :raises DecryptionError: it does not open
        :raises EncodingError: the keys are unusable
        """
        ...


class Envelopes(Protocol):
    """End-to-end encryption of one version."""

    @property
    def bound_to_sender(self) -> bool:
        """An envelope is good for its sender and its moment only."""
        ...

    @property
    def with_temporary_keys(self) -> bool:
        """They are encrypted for temporary keys, never for long-term ones."""
        ...

    def read(self, members: Mapping[str, Any]) -> Envelope:
        """Judge the form; nothing is decrypted.

        :raises EnvelopeFormatError: a member is missing, unexpected in this version, unknown or malformed
        """
        ...

    def read_without_body(
        self,
        *,
        temporary_key_id: str | None,
        ephemeral_public_key: bytes,
        nonce: bytes | None,
        timestamp: int | None,
    ) -> Envelope:
        """All but ciphertext and MAC, for `Envelope.lasting_keys`, which judges it."""
        ...

    def key(self, stored: bytes) -> EnvelopeKey:
        """Read a temporary key as `IssuedKey.private` was stored.

        :raises KeyFormatError: it is none
        """
        ...


class KeyRequest(Protocol):
    """A device's request for a temporary key."""

    @property
    def application_key(self) -> str | None:
        """As the request claims it; None if it does not."""
        ...

    @property
    def activation_id(self) -> str | None:
        """As the request claims it; None in application scope."""
        ...

    def is_proved(self, application_secret: bytes, secrets: Secrets | None) -> bool:
        """Whether the device knows the secret of its scope.

        :param application_secret: 16 bytes
        :param secrets: of the activation, in activation scope
        """
        ...

    def answer(
        self, key_id: str, *, issued_at_ms: int, expires_at_ms: int, signing_key: ServerKey
    ) -> IssuedKey:
        """Make the key.

        :param signing_key: of the application, in activation scope of the activation
        """
        ...


class TemporaryKeys(Protocol):
    """Temporary keys; the request says no version, its form tells the generation."""

    def read(self, jwt: str) -> KeyRequest:
        """Parse a request; nothing is verified.

        :raises TokenFormatError: not a request of this generation
        """
        ...


class ServerKeys(Protocol):
    """Long-term key pairs of applications and activations. Stored private keys are bytes, decrypted."""

    def new(self) -> tuple[bytes, bytes]:
        """Make a pair; returns the private and the public key as they are stored."""
        ...

    def read(self, stored: bytes) -> ServerKey:
        """Read a private key.

        :raises KeyFormatError: it is none
        """
        ...

    def public(self, key: ServerKey) -> bytes:
        """The public key of a private one, as it is stored."""
        ...

    def is_pair(self, key: ServerKey, public: bytes) -> bool:
        """Whether a stored public key is that of a private one.

        :raises KeyFormatError: it is no key
        """
        ...


class SecretsOfActivations(Protocol):
    """What a server keeps of an activation."""

    def read(self, server_key: bytes, device_key: bytes) -> Secrets:
        """What follows from the server's private and the device's public key.

        :raises KeyFormatError: one of them is none
        """
        ...

    def fingerprint(self, device_key: bytes, server_key: bytes, activation_id: str) -> str:
        """The digits that device and bank show, of both public keys.

        :raises KeyFormatError: one of them is none
        """
        ...


class Exchange(Protocol):
    """The inner layer of the key exchange."""

    def read(self, plaintext: bytes) -> DeviceOffer:
        """What the device offers.

        :raises DeviceKeyFormatError: its key is not Base64
        :raises EncodingError: not such an offer
        """
        ...

    def device_key(self, offer: DeviceOffer) -> bytes:
        """The device's public key, checked, as it is stored.

        :raises EncodingError: it is missing
        :raises KeyFormatError: it is no key
        """
        ...

    def answer(
        self, activation_id: str, server_key: bytes, ctr_data: bytes, recovery: ActivationRecovery | None
    ) -> bytes:
        """The server's answer; keys and counter as stored."""
        ...


class Codes(Protocol):
    """Authentication codes of one form."""

    def compute(self, data: bytes, keys: Sequence[bytes], ctr_data: bytes) -> str:
        """The code of a device.

        :raises SignatureError: wrong keys, counter or component length
        """
        ...

    def search(
        self,
        candidates: Sequence[bytes],
        code: str,
        types: Sequence[SignatureType],
        keys: FactorKeys,
        ctr_data: bytes,
        look_ahead: int,
    ) -> Match | None:
        """Find a code in the look-ahead window, in constant time for each comparison.

        :param candidates: complete signed bytes; several only with a proximity check
        :param look_ahead: number of counter values to try, 1 to 64
        :return: None if the code is wrong or has another form
        :raises SignatureError: wrong counter or component length
        """
        ...

    def possession_part(self, code: str) -> str:
        """What possession alone would have signed, out of a code whose first factor it is."""
        ...


class Counter(Protocol):
    """The counter data of codes.

    :cvar length: bytes
    """

    length: int

    def first(self) -> bytes:
        """A new one."""
        ...

    def next(self, ctr_data: bytes) -> bytes:
        """One step further.

        :raises EncodingError: wrong length
        """
        ...


class Status(Protocol):
    """The status of an activation as its device reads it.

    :cvar challenge_length: bytes of a device's challenge
    """

    challenge_length: int

    def seal(self, facts: StatusFacts, secrets: Secrets, challenge: bytes | None) -> SealedStatus:
        """Encrypt a status.

        :param challenge: None from a device whose version has none
        :raises EncodingError: challenge or counter have a wrong length
        """
        ...

    def random(self, *, challenged: bool) -> SealedStatus:
        """What nobody can decrypt, in the form of a real status."""
        ...


class Tokens(Protocol):
    """Secrets and digests of MAC tokens."""

    def new_secret(self) -> bytes:
        """Make a secret."""
        ...

    def digest(self, secret: bytes, nonce: bytes, timestamp_ms: int) -> bytes:
        """The digest of a token header.

        :raises ProtocolError: a value has a wrong length
        """
        ...

    def proves(self, digest: bytes, secret: bytes, nonce: bytes, timestamp_ms: int) -> bool:
        """Whether the digest was made with this secret; compared in constant time.

        :raises ProtocolError: secret or nonce have a wrong length
        """
        ...


class DataSignatures(Protocol):
    """Signatures over data with the long-term keys of an application or an activation."""

    def sign(self, server_key: ServerKey, data: bytes) -> bytes:
        """Sign for devices: data of the bank, or an activation code."""
        ...

    def verify(self, device_key: bytes, data: bytes, signed: bytes, form: EcdsaFormat) -> bool:
        """Check a signature of the device; False also for a malformed one.

        :param device_key: the public key as stored
        :raises KeyFormatError: it is none
        """
        ...

    def offline_payload(self, data: str, nonce: bytes, server_key: ServerKey, otp: str | None) -> str:
        """The text of a QR code for one activation, proved with its server key."""
        ...

    def shared_offline_payload(self, data: str, nonce: bytes, master_key: ServerKey) -> str:
        """The text of a QR code for any activation of an application, proved with the application's key."""
        ...


class Vault(Protocol):
    """The vault of a device."""

    def answer(self, secrets: Secrets | None) -> bytes:
        """The plaintext that hands out the vault key, or says that there is none."""
        ...
