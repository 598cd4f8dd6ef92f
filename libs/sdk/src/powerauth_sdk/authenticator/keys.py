"""Private keys of authenticators, by COSE algorithm."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey


def generate(algorithm: int) -> PrivateKey:
    """A key for ES256 (-7), RS256 (-257) or EdDSA (-8)."""
    if algorithm == -7:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048) if algorithm == -257 else Ed25519PrivateKey.generate()


def private_bytes(key: PrivateKey) -> bytes:
    """DER of PKCS 8, in clear."""
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.DER, form, serialization.NoEncryption())


def private_key(kept: bytes) -> PrivateKey:
    """The key of `private_bytes`."""
    key = serialization.load_der_private_key(kept, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey)
    return key


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign as the key's algorithm does, elliptic curves and RSA with SHA-256."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message)
