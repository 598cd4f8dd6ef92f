"""A certificate authority for one run: its servers, and clients that prove who they are in TLS."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from servicekit import authority
from servicekit.authority import LIFE, LOOPBACK, THIS_MACHINE

__all__ = ["LOOPBACK", "Authority"]


class Authority(authority.Authority):
    """That of the fake providers.

    :param folder: where the files go that TLS is read from
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, "fake-providers")
        self._servers = 0

    def server_tls(self, protocols: Sequence[str], *, asks_for_certificate: bool = False) -> ssl.SSLContext:
        """TLS of a server on this machine.

        :param protocols: of ALPN, the preferred one first
        """
        self._servers += 1
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.issue(f"server-{self._servers}").load_pair(context)
        context.set_alpn_protocols(list(protocols))
        if asks_for_certificate:
            context.load_verify_locations(self.ca_file)
            context.verify_mode = ssl.CERT_OPTIONAL
        return context

    def client(
        self, user_id: str, *, life: timedelta = LIFE
    ) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
        """A key and its certificate, as Apple gives a provider: the topic is the subject's user id.

        :param life: from now; negative: it has expired
        """
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.USER_ID, user_id),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Apple Push Services: {user_id}"),
            ]
        )
        return key, self.signed(name, key, THIS_MACHINE, life=life)
