"""What files of certificates and keys must hold before a service serves with them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from servicekit.start_rules import Rule, Weight
from servicekit.tls.contexts import TlsFiles, expires, load_authorities

_NO_FILE = "there is no such file, or it cannot be read"


def _is_away(setting: str, settings: Any) -> bool:
    path = getattr(settings, setting)
    return path is not None and not _is_readable(path)


def _is_readable(path: Path) -> bool:
    try:
        path.read_bytes()
    except OSError:
        return False
    return True


def _of_readable(setting: str, broken: Callable[[Path], bool], settings: Any) -> bool:
    path = getattr(settings, setting)
    return path is not None and _is_readable(path) and broken(path)


def _holds_no_certificate(path: Path) -> bool:
    try:
        expires(path)
    except ValueError:
        return True
    return False


def _has_expired(path: Path) -> bool:
    return not _holds_no_certificate(path) and expires(path) < datetime.now(UTC)


def _holds_no_authority(path: Path) -> bool:
    return not _works(lambda context: load_authorities(context, path))


def _works(load: Callable[[ssl.SSLContext], None]) -> bool:
    try:
        load(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    except OSError:
        return False
    return True


def _lacks(setting: str, other: str, settings: Any) -> bool:
    return getattr(settings, setting) is None and getattr(settings, other) is not None


def _does_not_fit(certificate: str, key: str, settings: Any) -> bool:
    """Whether both can be read, and do not go together."""
    paths = getattr(settings, certificate), getattr(settings, key)
    if not all(path is not None and _is_readable(path) for path in paths):
        return False
    return not _holds_no_certificate(paths[0]) and not _works(TlsFiles(*paths).load_pair)


def pair_rules(certificate: str, key: str) -> tuple[Rule, ...]:
    """Of a certificate and its key.

    :param certificate: the setting that names its file
    :param key: the same of its key
    """
    a_file, a_key = "/run/tls/tls.crt", "/run/tls/tls.key"
    always = Weight.ALWAYS
    return (
        Rule(certificate, partial(_is_away, certificate), _NO_FILE, a_file, always),
        Rule(
            certificate,
            partial(_of_readable, certificate, _holds_no_certificate),
            "holds no certificate in PEM",
            a_file,
            always,
        ),
        Rule(
            certificate,
            partial(_of_readable, certificate, _has_expired),
            "the certificate has expired: nobody who looks at it goes on",
            a_file,
            Weight.NEVER,
        ),
        Rule(certificate, partial(_lacks, certificate, key), "the key has no certificate", a_file, always),
        Rule(key, partial(_lacks, key, certificate), "the certificate needs its key", a_key, always),
        Rule(key, partial(_is_away, key), _NO_FILE, a_key, always),
        Rule(
            key,
            partial(_does_not_fit, certificate, key),
            "is no key in PEM without a password, or that of another certificate",
            a_key,
            always,
        ),
    )


def authority_rules(setting: str) -> tuple[Rule, ...]:
    """Of a file of authorities.

    :param setting: that names it
    """
    return (
        Rule(setting, partial(_is_away, setting), _NO_FILE, "/run/tls/ca.crt", Weight.ALWAYS),
        Rule(
            setting,
            partial(_of_readable, setting, _holds_no_authority),
            "holds no certificate of an authority in PEM",
            "/run/tls/ca.crt",
            Weight.ALWAYS,
        ),
    )


def url_rules(
    setting: str, files: tuple[str, ...], verifying: Mapping[str, frozenset[str]], example: str
) -> tuple[Rule, ...]:
    """Of a URL that says behind its ``?`` how TLS goes.

    :param files: parameters that name files
    :param verifying: parameters that decide whether the server's certificate is looked at, with the values by
        which it is
    """

    def asked(settings: Any) -> dict[str, str]:
        _, _, behind = getattr(settings, setting).get_secret_value().rpartition("@")
        return dict(parse_qsl(behind.partition("?")[2]))

    def lacks_a_file(settings: Any) -> bool:
        return any(name in files and not _is_readable(Path(path)) for name, path in asked(settings).items())

    def looks_away(settings: Any) -> bool:
        given = asked(settings).items()
        return any(name in verifying and value.lower() not in verifying[name] for name, value in given)

    return (
        Rule(
            setting,
            lacks_a_file,
            f"a file in it cannot be read ({', '.join(files)})",
            example,
            Weight.ALWAYS,
        ),
        Rule(
            setting,
            looks_away,
            f"whoever is on the way can be the server, because of {' or '.join(verifying)}",
            example,
        ),
    )


LISTENER_RULES: tuple[Rule, ...] = (
    *pair_rules("tls_certificate_path", "tls_key_path"),
    *authority_rules("tls_client_ca_path"),
    Rule(
        "tls_client_ca_path",
        partial(_lacks, "tls_certificate_path", "tls_client_ca_path"),
        "there is no TLS that could ask clients for certificates: it needs a certificate of the service",
        weight=Weight.ALWAYS,
    ),
    Rule(
        "tls_client_names",
        lambda settings: settings.tls_client_names and settings.tls_client_ca_path is None,
        "names need the authority that vouches for them, in …_TLS_CLIENT_CA_PATH",
        weight=Weight.ALWAYS,
    ),
    Rule(
        "management_tls",
        lambda settings: settings.management_tls and settings.tls_certificate_path is None,
        "there is no certificate to serve the management port with",
        "false",
        Weight.ALWAYS,
    ),
    Rule(
        "management_tls",
        lambda settings: settings.management_tls and settings.management_port is None,
        "there is no management port",
        "false",
        Weight.ALWAYS,
    ),
)
"""Of `servicekit.settings.ServiceSettings`."""
