"""What files of certificates and keys must hold before a service serves with them."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from pydantic import SecretStr

from servicekit.start_rules import Rule, Weight
from servicekit.tls.contexts import TlsFiles, expires, load_authorities

DATABASE_FILES = ("sslrootcert", "sslcert", "sslkey")
"""Parameters of a PostgreSQL URL that name files."""
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


def url_files_rule(setting: str, files: tuple[str, ...], example: str) -> Rule:
    """Of a URL that names files of TLS behind its ``?``.

    :param files: parameters that name files
    """

    def lacks_a_file(settings: Any) -> bool:
        asked = _asked(getattr(settings, setting)).items()
        return any(name in files and not _is_readable(Path(path)) for name, path in asked)

    meaning = f"a file in it cannot be read ({', '.join(files)})"
    return Rule(setting, lacks_a_file, meaning, example, Weight.ALWAYS)


def url_verifies_rule(setting: str, verifying: Mapping[str, frozenset[str]], example: str) -> Rule:
    """Of a URL that says behind its ``?`` whether the server's certificate is looked at.

    :param verifying: parameters that decide it, with the values by which it is
    """

    def looks_away(settings: Any) -> bool:
        asked = _asked(getattr(settings, setting)).items()
        return any(name in verifying and value.lower() not in verifying[name] for name, value in asked)

    meaning = f"whoever is on the way can be the server, because of {' or '.join(verifying)}"
    return Rule(setting, looks_away, meaning, example)


def _asked(url: str | SecretStr) -> dict[str, str]:
    """What stands behind the ``?`` of a URL, whose password may hold one too, as its parameters an ``@``."""
    text = url if isinstance(url, str) else url.get_secret_value()
    return dict(parse_qsl(text.partition("?")[2])) | dict(
        parse_qsl(text.rpartition("@")[2].partition("?")[2])
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
