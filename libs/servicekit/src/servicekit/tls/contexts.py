"""Contexts that follow their files: a renewed certificate is used from the next connection on.

Whoever renews writes over the files, puts others in their place, or swaps a link above them, as container
platforms do. What cannot be used, half of a new pair for instance, is told once, and the old one goes on.
"""

from __future__ import annotations

import os
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from servicekit import logs, metrics

_LOOK_SECONDS = 1.0
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2: forward secrecy, and encryption that authenticates. TLS 1.3 has no others."""
_MOST_NAMES = 10

_log = logs.get_logger(__name__)
_expiry = metrics.gauge(
    "tls_certificate_expiry_seconds",
    "Until the certificate in use expires; negative afterwards",
    {"use": ("listener", "internal", "database", "audit_export")},
    least=True,
)
_refused = metrics.counter(
    "tls_refused_handshakes", "Connections refused before a request", {"reason": ("handshake", "client")}
)


class NoAuthority(ssl.SSLError):
    """A file of authorities has none in it."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files.

    :ivar certificate: the own one, followed by those between it and an authority
    :ivar key: of the certificate, without a password
    :ivar authorities: whose certificates are believed
    """

    certificate: Path | None = None
    key: Path | None = None
    authorities: Path | None = None

    def stamps(self) -> list[tuple[int, int, int] | None]:
        """What changes when a file does: time, file, size; None for one that is not there."""
        return [_stamp(path) for path in (self.certificate, self.key, self.authorities) if path is not None]

    def load_pair(self, context: ssl.SSLContext) -> None:
        """Have a context show the certificate, if there is one.

        :raises OSError: a file cannot be read
        :raises ssl.SSLError: one holds something else, or the key is that of another certificate
        """
        if self.certificate is not None:
            # With a password given nobody is asked for one at the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")


def load_authorities(context: ssl.SSLContext, path: Path) -> None:
    """Have a context believe the authorities of a file alone.

    :raises OSError: it cannot be read
    :raises ssl.SSLError: it holds something else
    """
    context.load_verify_locations(path)
    if not context.cert_store_stats()["x509_ca"]:
        raise NoAuthority(f"{path} holds no certificate of an authority")


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def expires(certificate: Path) -> datetime:
    """When the first of a file's certificates expires.

    :raises OSError: it cannot be read
    :raises ValueError: it holds no certificate
    """
    # A service without TLS does not need it here.
    from cryptography import x509  # noqa: PLC0415

    found = x509.load_pem_x509_certificates(certificate.read_bytes())
    return min(each.not_valid_after_utc for each in found)


class FollowingContext(ssl.SSLContext):
    """Makes each connection with what the files hold then; connections that are open stay as they are.

    Event loops ask a context for nothing but `wrap_bio`, so this one lends those that it makes.

    :param build: makes a context of the files
    :param use: of the certificate, in metrics and logs
    :raises OSError: a file cannot be read, or does not hold what it should (`ssl.SSLError`)
    """

    def __new__(cls, *_arguments: object) -> Self:
        """The library's own takes other arguments."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, files: TlsFiles, build: Callable[[TlsFiles], ssl.SSLContext], use: str) -> None:
        self._files = files
        self._build = build
        self._use = use
        self._looked = time.monotonic()
        self._stamps = files.stamps()
        self._take(build(files))
        if files.certificate is not None:
            _expiry.labels(use).set_function(self._seconds_left)

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        """TLS of a new connection."""
        return self.current().wrap_bio(*arguments, **options)

    def current(self) -> ssl.SSLContext:
        """What the files hold, or held when they were last of use."""
        now = time.monotonic()
        if now - self._looked >= _LOOK_SECONDS:
            self._looked = now
            stamps = self._files.stamps()
            if stamps != self._stamps:
                self._stamps = stamps
                self._renew()
        return self._context

    def _renew(self) -> None:
        try:
            self._take(self._build(self._files))
        except (OSError, ValueError) as error:
            _log.error("renewed certificate unusable, the old one goes on", use=self._use, reason=str(error))
        else:
            _log.info("certificate renewed", use=self._use, expires=self._expires and str(self._expires))

    def _take(self, context: ssl.SSLContext) -> None:
        certificate = self._files.certificate
        self._expires = None if certificate is None else expires(certificate)
        self._context = context

    def _seconds_left(self) -> float:
        self.current()
        assert self._expires is not None
        return (self._expires - datetime.now(UTC)).total_seconds()


class _ListeningContext(ssl.SSLContext):
    """A server's.

    :ivar names: of clients that are let in; none: all that an authority vouches for
    """

    names: frozenset[str] = frozenset()


class _Handshake(ssl.SSLObject):
    """A server's side: tells why it failed, and lets nobody in whose name it does not know."""

    def do_handshake(self) -> None:
        """Go on with it.

        :raises ssl.SSLError: it has failed, or has to wait for the other side
        """
        try:
            super().do_handshake()
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            _refused.labels("handshake").inc()
            _log.info("handshake failed", reason=reason_of(error))
            raise
        assert isinstance(self.context, _ListeningContext)
        if self.context.names:
            self._check_name(self.context.names)

    def _check_name(self, known: frozenset[str]) -> None:
        names = client_names(self.getpeercert() or {})
        if known.isdisjoint(names):
            _refused.labels("client").inc()
            _log.warning("client refused by its certificate", names=names[:_MOST_NAMES])
            raise ssl.SSLCertVerificationError("the client's name is not among those that are let in")


def client_names(certificate: Any) -> list[str]:
    """The DNS names, in small letters, and URIs that a peer's certificate says it is.

    :param certificate: as `ssl.SSLObject.getpeercert` gives it
    """
    told = certificate.get("subjectAltName", ())
    return [name.lower() if kind == "DNS" else name for kind, name in told if kind in ("DNS", "URI")]


def reason_of(error: BaseException) -> str:
    """What a failed handshake was about, in a few words without anything of the exchange."""
    told = getattr(error, "verify_message", None) or getattr(error, "reason", None)
    return str(told) if told else type(error).__name__


def listening_context(files: TlsFiles, names: frozenset[str], use: str) -> FollowingContext:
    """TLS of a port. With authorities every client has to show a certificate.

    :raises OSError: a file cannot be used
    """

    def build(files: TlsFiles) -> ssl.SSLContext:
        context = _ListeningContext(ssl.PROTOCOL_TLS_SERVER)
        context.sslobject_class = _Handshake
        context.names = frozenset(name if ":" in name else name.lower() for name in names)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers(_CIPHERS)
        context.options |= ssl.OP_NO_RENEGOTIATION
        context.set_alpn_protocols(["http/1.1"])
        files.load_pair(context)
        if files.authorities is not None:
            load_authorities(context, files.authorities)
            context.verify_mode = ssl.CERT_REQUIRED
            # Who comes back is looked at again, by the authorities and the date of then: no session goes on.
            # TLS 1.2 would let one, by its number.
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.num_tickets = 0
        return context

    return FollowingContext(files, build, use)


def calling_context(files: TlsFiles, use: str) -> FollowingContext:
    """TLS of calls to others, whose names are checked; without authorities the system's are believed.

    :raises OSError: a file cannot be used
    """

    def build(files: TlsFiles) -> ssl.SSLContext:
        if files.authorities is None:
            context = ssl.create_default_context()
        else:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            load_authorities(context, files.authorities)
        files.load_pair(context)
        return context

    return FollowingContext(files, build, use)
