"""What the URL of a database may say, and whether the way there is protected.

TLS is asked for as everywhere with PostgreSQL: ``?sslmode=verify-full&sslrootcert=/path``. The driver's own
name for the mode, ``ssl``, is read too.
"""

from __future__ import annotations

import ssl
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from servicekit.tls.contexts import FollowingContext, TlsFiles

_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_PROTECTED = frozenset(_MODES[3:])
_VERIFIED = frozenset(_MODES[4:])
_MODE_NAMES = ("sslmode", "ssl")
_FILES = ("sslcert", "sslkey", "sslrootcert")
_OTHERS = ("host", "port", "target_session_attrs", "passfile")
_PARAMETERS = frozenset((*_MODE_NAMES, *_FILES, *_OTHERS))


def parsed_url(url: str) -> URL:
    """The parts of a URL.

    :raises ValueError: it has a parameter that the driver does not take; the text names it, not its value
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("is no URL of a database") from None
    if parsed.get_backend_name() in ("postgresql", "postgres"):
        _check(parsed)
    return parsed


def _check(url: URL) -> None:
    unknown = sorted(set(url.query) - _PARAMETERS)
    if unknown:
        known = ", ".join(sorted(_PARAMETERS))
        raise ValueError(f"has the unknown parameter {unknown[0]}; known are {known}")
    mode = _mode(url)
    if mode is not None and mode not in _MODES:
        raise ValueError(f"sslmode must be one of {', '.join(_MODES)}")
    if ("sslcert" in url.query) != ("sslkey" in url.query):
        raise ValueError("sslcert and sslkey go together")
    if any(name in url.query for name in _FILES) and mode not in _PROTECTED:
        raise ValueError("sslrootcert, sslcert and sslkey need sslmode=require or a stricter one")


def _mode(url: URL) -> str | None:
    for name in _MODE_NAMES:
        value = url.query.get(name)
        if value is not None:
            return value if isinstance(value, str) else value[-1]
    return None


def without_tls(url: URL) -> URL:
    """The URL as the driver's connector takes it: what it says of TLS is `tls_arguments`."""
    return url.difference_update_query((*_MODE_NAMES, *_FILES))


def tls_arguments(url: URL) -> dict[str, Any]:
    """What the driver is told of TLS.

    :raises OSError: a file of certificates or keys cannot be read
    """
    mode = _mode(url)
    if mode is None:
        return {}
    files = {name: str(url.query[name]) for name in _FILES if name in url.query}
    return {"ssl": _followed(mode, files) if files else mode}


def _followed(mode: str, files: dict[str, str]) -> ssl.SSLContext:
    """TLS of each new connection, with the files as they are then."""
    certificate, key, root = (Path(files[name]) if name in files else None for name in _FILES)
    try:
        return FollowingContext(TlsFiles(certificate, key, root), partial(_context, mode), "database")
    except (OSError, ValueError) as error:
        # OpenSSL does not say which file it was.
        number, told = getattr(error, "errno", None), getattr(error, "strerror", None)
        raise OSError(number, told or str(error), ", ".join(files.values())) from None


def _context(mode: str, files: TlsFiles) -> ssl.SSLContext:
    """As libpq understands it: whoever names a root certificate wants it used."""
    context = ssl.create_default_context(cafile=files.authorities)
    files.load_pair(context)
    context.check_hostname = mode == "verify-full"
    if mode not in _VERIFIED and files.authorities is None:
        context.verify_mode = ssl.CERT_NONE
    return context


def demands_tls(url: URL) -> bool:
    """Whether a connection without TLS is out of the question."""
    return _mode(url) in _PROTECTED


def hosts_of(url: URL) -> list[str]:
    """The servers that a URL names; folders of sockets begin with a slash."""
    several = url.query.get("host", ())
    named = (several,) if isinstance(several, str) else several
    hosts = [host if host.startswith("/") else host.rsplit(":", 1)[0] for host in named]
    return hosts or ([url.host] if url.host else [])
