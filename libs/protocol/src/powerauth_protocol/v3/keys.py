"""P-256 keys and the keys of an activation (spec/protocol-v3.md §1.1, §1.2, §2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NewType

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from powerauth_protocol.common.errors import KeyFormatError
from powerauth_protocol.common.kdf import fold, kdf, kdf_many

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

MasterSecret = NewType("MasterSecret", bytes)
PossessionKey = NewType("PossessionKey", bytes)
KnowledgeKey = NewType("KnowledgeKey", bytes)
BiometryKey = NewType("BiometryKey", bytes)
TransportKey = NewType("TransportKey", bytes)
VaultKey = NewType("VaultKey", bytes)

INDEX_POSSESSION = 1
INDEX_KNOWLEDGE = 2
INDEX_BIOMETRY = 3
INDEX_TRANSPORT = 1000
INDEX_VAULT = 2000
INDEX_TRANSPORT_IV = 3000
INDEX_TRANSPORT_CTR = 4000

_CURVE = ec.SECP256R1()
_ECDH = ec.ECDH()
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
_ACTIVATION_INDEXES = (INDEX_POSSESSION, INDEX_KNOWLEDGE, INDEX_BIOMETRY, INDEX_TRANSPORT, INDEX_VAULT)


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class KeyPair:
    """A P-256 key pair."""

    private: PrivateKey = field(repr=False)
    public: PublicKey

    @classmethod
    def of(cls, private: PrivateKey) -> KeyPair:
        """Return the pair of a private key."""
        return cls(private, private.public_key())


@dataclass(frozen=True, slots=True)
class ActivationKeys:
    """The keys derived from an activation's master secret, 16 bytes each (spec/protocol-v3.md §2)."""

    possession: PossessionKey = field(repr=False)
    knowledge: KnowledgeKey = field(repr=False)
    biometry: BiometryKey = field(repr=False)
    transport: TransportKey = field(repr=False)
    vault: VaultKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class StatusKeys:
    """The keys of the status blob, derived from the transport key (spec/protocol-v3.md §9.1), 16 bytes each.

    :ivar iv: derives initialisation vectors
    :ivar counter: hashes counters
    """

    iv: bytes = field(repr=False)
    counter: bytes = field(repr=False)

    @classmethod
    def of(cls, transport_key: TransportKey) -> StatusKeys:
        """Derive both.

        :raises KeyFormatError: the key is not 16 bytes
        """
        return cls(*kdf_many(transport_key, (INDEX_TRANSPORT_IV, INDEX_TRANSPORT_CTR)))


@dataclass(frozen=True, slots=True)
class ActivationSecrets:
    """What a server keeps of an activation after its key exchange; none of it ever changes.

    :ivar server_private: the activation's server private key
    :ivar device_public: the device's public key
    :ivar factors: factor, transport and vault keys derived from both
    :ivar status: keys of the status blob
    """

    server_private: PrivateKey = field(repr=False)
    device_public: PublicKey
    factors: ActivationKeys = field(repr=False)
    status: StatusKeys = field(repr=False)


def generate_key_pair() -> KeyPair:
    """Make a new P-256 key pair."""
    return KeyPair.of(ec.generate_private_key(_CURVE))


def import_public_key(encoded: bytes) -> PublicKey:
    """Read a compressed (33 bytes) or uncompressed (65 bytes) point and check that it is on the curve.

    Hybrid points (prefix 06, 07) are refused.

    :raises KeyFormatError: wrong length or prefix, or no point of the curve
    """
    if not (
        (len(encoded) == 65 and encoded[0] == 0x04) or (len(encoded) == 33 and encoded[0] in (0x02, 0x03))
    ):
        raise KeyFormatError("not a P-256 public key")
    try:
        return PublicKey.from_encoded_point(_CURVE, encoded)
    except ValueError:
        raise KeyFormatError("not a P-256 public key") from None


def public_key_from_coordinates(x: bytes, y: bytes) -> PublicKey:
    """Build a public key from its coordinates, unsigned big-endian of any length.

    :raises KeyFormatError: no point of the curve
    """
    try:
        return ec.EllipticCurvePublicNumbers(
            int.from_bytes(x, "big"), int.from_bytes(y, "big"), _CURVE
        ).public_key()
    except ValueError:
        raise KeyFormatError("not a P-256 public key") from None


def export_public_key(public: PublicKey) -> bytes:
    """Return the uncompressed point, 65 bytes: the form that servers send and store."""
    return public.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def compress_public_key(public: PublicKey) -> bytes:
    """Return the compressed point, 33 bytes: the form that mobile clients send."""
    return public.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def import_private_key(encoded: bytes) -> PrivateKey:
    """Read a scalar: 1 to 33 bytes big-endian, minimal signed or padded to 32 bytes.

    :raises KeyFormatError: wrong length, or a scalar outside 1..n-1
    """
    scalar = int.from_bytes(encoded, "big")
    if not 1 <= len(encoded) <= 33 or not 0 < scalar < _ORDER:
        raise KeyFormatError("not a P-256 private key")
    return ec.derive_private_key(scalar, _CURVE)


def export_private_key(private: PrivateKey) -> bytes:
    """Return the scalar as minimal signed big-endian bytes, 1 to 33 (spec/protocol-v3.md §1.1)."""
    scalar = private.private_numbers().private_value
    return scalar.to_bytes(scalar.bit_length() // 8 + 1, "big")


def ecdh(private: PrivateKey, public: PublicKey) -> bytes:
    """Return the 32-byte shared X coordinate.

    :raises KeyFormatError: the keys are on different curves
    """
    try:
        return private.exchange(_ECDH, public)
    except ValueError:
        raise KeyFormatError("keys do not fit together") from None


def master_secret(private: PrivateKey, public: PublicKey) -> MasterSecret:
    """Return the 16-byte master secret of an activation: the folded ECDH result."""
    return MasterSecret(fold(ecdh(private, public)))


def derive_factor_keys(secret: MasterSecret) -> ActivationKeys:
    """Derive the keys of an activation from its master secret (spec/protocol-v3.md §2).

    :raises KeyFormatError: the secret is not 16 bytes
    """
    possession, knowledge, biometry, transport, vault = kdf_many(secret, _ACTIVATION_INDEXES)
    return ActivationKeys(
        PossessionKey(possession),
        KnowledgeKey(knowledge),
        BiometryKey(biometry),
        TransportKey(transport),
        VaultKey(vault),
    )


def transport_iv_key(transport_key: TransportKey) -> bytes:
    """Return the 16-byte key that derives the initialisation vector of the status blob."""
    return kdf(transport_key, INDEX_TRANSPORT_IV)


def transport_ctr_key(transport_key: TransportKey) -> bytes:
    """Return the 16-byte key that hashes the counter for the status blob."""
    return kdf(transport_key, INDEX_TRANSPORT_CTR)
