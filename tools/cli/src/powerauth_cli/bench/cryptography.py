"""What the servers' cryptography of one activation costs by itself, by the libraries that they use."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CURVE = ec.SECP256R1()
_ROUNDS = 400
_KEY = os.urandom(16)
_JWT = os.urandom(320)
_OUTER = os.urandom(800)
"""About as long as the plaintext of the outer envelope, which holds the inner one."""
_INNER = os.urandom(240)
_ROW = os.urandom(480)


class Peers:
    """Keys that are there before an activation: the application's, the device's and its ephemeral one."""

    def __init__(self) -> None:
        self.master = ec.generate_private_key(_CURVE)
        device = ec.generate_private_key(_CURVE).public_key()
        self.compressed = device.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def activation_ms() -> float:
    """CPU milliseconds of all that core and enrollment have to compute for an activation in protocol 3.3 with
    encrypted and bound rows, without recovery code and OTP.

    The secret that server and device share is not among it: it is computed when it is first used.
    """
    peers = Peers()
    begin = time.process_time()
    for _ in range(_ROUNDS):
        for step in _STEPS:
            step(peers)
    return (time.process_time() - begin) * 1000 / _ROUNDS


def _start(peers: Peers) -> None:
    """The server's key pair at rest, the signed code, the row's MAC."""
    _new_key_at_rest()
    peers.master.sign(b"ABCDE-FGHIJ-KLMNO-PQRST", ec.ECDSA(hashes.SHA256()))
    _mac(_ROW)


def _temporary_key(peers: Peers) -> None:
    """The request's MAC, the key pair at rest, the signed answer."""
    _mac(_JWT)
    _new_key_at_rest()
    peers.master.sign(_JWT, ec.ECDSA(hashes.SHA256()))


def _outer_envelope(peers: Peers) -> None:
    """Opened, and its answer sealed."""
    _agree(peers)
    _open(_OUTER)
    _seal(_OUTER)


def _inner_envelope(peers: Peers) -> None:
    """Opened with the device's key in it, which has to be a point; the row as it was and as it is now."""
    _agree(peers)
    _open(_INNER)
    _point(peers.compressed).public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    _seal(_INNER)
    _mac(_ROW)
    _mac(_ROW)


def _commit(_peers: Peers) -> None:
    """The row as it was and as it is now."""
    _mac(_ROW)
    _mac(_ROW)


_STEPS: tuple[Callable[[Peers], None], ...] = (
    _start,
    _temporary_key,
    _outer_envelope,
    _inner_envelope,
    _commit,
)


def _new_key_at_rest() -> None:
    private = ec.generate_private_key(_CURVE)
    private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    scalar = private.private_numbers().private_value.to_bytes(33, "big")
    _encrypt(_derived(_KEY), scalar)


def _agree(peers: Peers) -> None:
    """Key agreement and X9.63 with 48 bytes of output, of which the first block takes two digests."""
    shared = peers.master.exchange(ec.ECDH(), _point(peers.compressed))
    for counter in (b"\0\0\0\1", b"\0\0\0\2"):
        hashlib.sha256(shared + counter + peers.compressed).digest()


def _point(encoded: bytes) -> ec.EllipticCurvePublicKey:
    return ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, encoded)


def _open(ciphertext: bytes) -> None:
    _mac(ciphertext)
    _whole(_cipher(_derived(_KEY)).decryptor(), ciphertext)


def _seal(plaintext: bytes) -> None:
    _encrypt(_derived(_KEY), plaintext)
    _mac(plaintext)


def _encrypt(key: bytes, plaintext: bytes) -> None:
    _whole(_cipher(key).encryptor(), plaintext + bytes(16 - len(plaintext) % 16))


def _cipher(key: bytes) -> Cipher[modes.CBC]:
    return Cipher(algorithms.AES128(key), modes.CBC(os.urandom(16)))


def _whole(context: CipherContext, blocks: bytes) -> None:
    context.update(blocks)
    context.finalize()


def _derived(key: bytes) -> bytes:
    return _mac(key)[:16]


def _mac(data: bytes) -> bytes:
    return hmac.digest(_KEY, data, "sha256")
