"""HTTP headers, signed requests, token of the key store (spec/protocol-v3.md §6, §7, §8.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from powerauth_protocol.common import request_data
from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.errors import HeaderError, ProtocolError
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.conformance.signature_checks import sign_and_verify
from powerauth_protocol.conformance.values import Check, Input, Output, data, optional_data, require
from powerauth_protocol.generation import read_authorization, read_encryption, read_token
from powerauth_protocol.v3 import http_headers, temporary_key
from powerauth_protocol.v3.keys import TransportKey, import_public_key
from powerauth_protocol.v3.versions import ProtocolVersion

Header = http_headers.SignatureHeader | http_headers.EncryptionHeader | http_headers.TokenHeader

FIELDS: dict[str, tuple[str, ...]] = {
    http_headers.AUTHORIZATION_HEADER: http_headers.AUTHORIZATION_FIELDS,
    http_headers.ENCRYPTION_HEADER: http_headers.ENCRYPTION_FIELDS,
    http_headers.TOKEN_HEADER: http_headers.TOKEN_FIELDS,
}
_CLASSES: dict[str, Callable[..., Header]] = {
    http_headers.AUTHORIZATION_HEADER: http_headers.SignatureHeader,
    http_headers.ENCRYPTION_HEADER: http_headers.EncryptionHeader,
    http_headers.TOKEN_HEADER: http_headers.TokenHeader,
}


def parse_header(name: str, value: str | None, scope: str) -> Header:
    """Parse and validate a header by its name; the scope matters for the encryption header only."""
    if name == http_headers.AUTHORIZATION_HEADER:
        return read_authorization(http_headers.parse_fields(value))
    if name == http_headers.TOKEN_HEADER:
        return read_token(http_headers.parse_fields(value))
    return read_encryption(http_headers.parse_fields(value), Scope(scope))


def _signature_base(values: Input) -> Output:
    base = request_data.signature_base(
        values["http_method"],
        values["uri_id"],
        optional_data(values, "nonce_b64"),
        optional_data(values, "body_b64"),
    )
    return {"base_string": base}


def _canonical_query(values: Input) -> Output:
    output: Output = {"canonical": request_data.canonical_query(values["query"])}
    try:
        output["canonical_predecoded"] = request_data.canonical_query_predecoded(values["query"])
    except ProtocolError:
        output["predecoded_error"] = True
    return output


def _header_build(values: Input) -> Output:
    name = values["header_name"]
    header = _CLASSES[name](*[values["fields"][field] for field in FIELDS[name]])
    return {"header_value": header.build()}


def _header_parse(values: Input) -> Output:
    name, value, scope = values["header_name"], values["header_value"], values["scope"]
    found = http_headers.parse_fields(value)
    output: dict[str, Any] = {"fields": {field: found.get(field) for field in FIELDS[name]}}
    try:
        header = parse_header(name, value, scope)
    except HeaderError as error:
        return {"valid": False, "error_code": error.code, **output}
    require(parse_header(name, header.build(), scope) == header, "a built header parses back")
    return {"valid": True, "error_code": None, **output}


def _signed_request(values: Input) -> Output:
    version = ProtocolVersion.parse(values["version"])
    nonce = data(values, "nonce_b64")
    if values["http_method"] == "GET":
        query = request_data.canonical_query(values["query"])
        body = None if query is None else query.encode("utf-8")
    else:
        body = optional_data(values, "body_b64")
    base = request_data.signature_base(values["http_method"], values["uri_id"], nonce, body)
    signed = request_data.normalized_data(base, values["application_secret"])
    code = sign_and_verify(signed, values, version.facts.signature_format)
    header = http_headers.SignatureHeader(
        activation_id=values["activation_id"],
        application_key=values["application_key"],
        nonce=b64encode(nonce),
        signature_type=values["signature_type"],
        signature=code,
        version=version.value,
    )
    require(
        read_authorization(http_headers.parse_fields(header.build())) == header, "the server reads the header"
    )
    return {
        "normalized_data": signed.decode("utf-8"),
        "signature": code,
        "header_name": http_headers.AUTHORIZATION_HEADER,
        "header_value": header.build(),
    }


def _jwt_request(values: Input) -> Output:
    transport_key = optional_data(values, "transport_key_b64")
    key = temporary_key.request_signing_key(
        Scope(values["scope"]),
        b64decode(values["application_secret"], 16),
        None if transport_key is None else TransportKey(transport_key),
    )
    request = temporary_key.parse_request_jwt(values["jwt"])
    own = temporary_key.parse_request_jwt(temporary_key.build_request_jwt(request.claims, key))
    require(own.verify(key) and own.claims == request.claims, "an own request verifies")
    return {
        "hmac_key_b64": b64encode(key),
        "valid": request.verify(key),
        "claims": request.claims.to_claims(),
    }


def _jwt_response(values: Input) -> Output:
    response = temporary_key.parse_response_jwt(values["jwt"])
    require(response.claims.scope is Scope(values["scope"]), "the activation id tells the scope")
    return {
        "valid": response.verify(import_public_key(data(values, "public_key_b64"))),
        "claims": response.claims.to_claims(),
    }


CHECKS: dict[str, Check] = {
    "http_signature_base": _signature_base,
    "http_query_canonicalization": _canonical_query,
    "http_header_build": _header_build,
    "http_header_parse": _header_parse,
    "http_signed_request": _signed_request,
    "temporary_key_jwt_request": _jwt_request,
    "temporary_key_jwt_response": _jwt_response,
}
