"""Private keys of authenticators, by COSE algorithm."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey


def generate(algorithm: int) -> PrivateKey:
    """A key for ES256 (-7), RS256 (-257) or EdDSA (-8)."""
    if algorithm == -7:
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(65537, 2048) if algorithm == -257 else Ed25519PrivateKey.generate()


def sign(key: PrivateKey, message: bytes) -> bytes:
    """Sign as the key's algorithm does, elliptic curves and RSA with SHA-256."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key.sign(message, ec.ECDSA(hashes.SHA256()))
    if isinstance(key, rsa.RSAPrivateKey):
        return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    return key.sign(message)
