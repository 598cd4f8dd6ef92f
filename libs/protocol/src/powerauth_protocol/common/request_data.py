"""The data that authentication codes cover (spec/protocol-v3.md §8.1)."""

from __future__ import annotations

import re
from urllib.parse import quote_plus, unquote_plus

from powerauth_protocol.common.encoding import b64encode, utf8
from powerauth_protocol.common.errors import EncodingError

OFFLINE_SECRET = "offline"  # noqa: S105 - a constant of the protocol, not a secret
OFFLINE_METHOD = "POST"
OFFLINE_RESOURCE_ID = "/operation/authorize/offline"

MAX_QUERY = 8_192
"""Most characters of a query that anybody signs; no server takes a longer URL (D28)."""

_PLAIN = re.compile(r"[A-Za-z0-9*._-]*", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def signature_base(method: str | None, uri_id: str | None, nonce: bytes | None, body: bytes | None) -> str:
    """Return ``METHOD & B64(resource id) & B64(nonce) & B64(body)``, the data without the secret.

    :param method: HTTP method in any case; None is ``GET``
    :param uri_id: resource id, e.g. ``/pa/token/create``
    :param nonce: 16 bytes
    :param body: raw body, for GET the canonical query
    :raises EncodingError: the resource id is not Unicode
    """
    return "&".join(
        (
            "GET" if method is None else method.upper(),
            b64encode(utf8(uri_id)) if uri_id else "",
            b64encode(nonce) if nonce else "",
            b64encode(body) if body else "",
        )
    )


def normalized_data(base: str, secret: str) -> bytes:
    """Return the signed bytes.

    :param base: what `signature_base` returned
    :param secret: Base64 text of the application secret, or `OFFLINE_SECRET`
    :raises EncodingError: a text is not Unicode
    """
    return utf8(f"{base}&{secret}")


def canonical_query(raw: str | None) -> str | None:
    """Return the canonical form of a query string, the "body" of a GET (spec/protocol-v3.md §8.1.1).

    :return: empty text if there is no query, None if it has no pairs; both sign as an empty body
    :raises EncodingError: a broken %-sequence, text that is not Unicode, or more than `MAX_QUERY` characters
    """
    if raw is None:
        return ""
    if len(raw) > MAX_QUERY:
        raise EncodingError("the query is too long")
    pairs: list[tuple[str, str]] = []
    for part in raw.split("&"):
        key, separator, value = part.partition("=")
        if separator:
            pairs.append((_form_decode(key), _form_decode(value)))
    if not pairs:
        return None
    pairs.sort(key=_utf16_order)
    return "&".join([f"{_form_encode(key)}={_form_encode(value)}" for key, value in pairs])


def canonical_query_predecoded(raw: str | None) -> str | None:
    """`canonical_query` of the query form-decoded once as a whole, as servers of the original do.

    :raises EncodingError: a broken %-sequence before or after the first decoding
    """
    return canonical_query(None if raw is None else _form_decode(raw))


def _utf16_order(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return pair[0].encode("utf-16-be"), pair[1].encode("utf-16-be")


def _form_decode(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    utf8(text)
    if _BROKEN_ESCAPE.search(text):
        raise EncodingError("broken %-sequence in the query")
    return unquote_plus(text, errors="replace")


def _form_encode(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return quote_plus(text, safe="*").replace("~", "%7E")
