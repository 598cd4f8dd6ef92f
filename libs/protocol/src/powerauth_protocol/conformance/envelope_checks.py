"""ECIES envelopes, both sides and the edge (spec/protocol-v3.md §5)."""

from __future__ import annotations

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.scope import Scope
from powerauth_protocol.conformance.values import (
    Check,
    Input,
    Output,
    data,
    optional_data,
    require,
    text_of,
)
from powerauth_protocol.v3 import ecies
from powerauth_protocol.v3.ecies import EciesContext, EciesRequest, EciesResponse
from powerauth_protocol.v3.keys import (
    KeyPair,
    PrivateKey,
    TransportKey,
    export_public_key,
    import_private_key,
    import_public_key,
)
from powerauth_protocol.v3.versions import ProtocolVersion


def _context(values: Input) -> tuple[EciesContext, bytes]:
    scope = Scope(values["scope"])
    context = EciesContext(
        version=ProtocolVersion.parse(values["version"]),
        scope=scope,
        sh1=values["shared_info1"],
        application_key=values["application_key"],
        application_secret=values["application_secret"],
        activation_id=values["activation_id"],
        temporary_key_id=values["temporary_key_id"],
    )
    transport_key = optional_data(values, "transport_key_b64")
    base = ecies.shared_info2_base(
        scope, values["application_secret"], None if transport_key is None else TransportKey(transport_key)
    )
    return context, base


def _server_key(values: Input) -> PrivateKey:
    return import_private_key(data(values, "server_private_key_b64"))


def _request(values: Input) -> Output:
    context, base = _context(values)
    version, plaintext = context.version, data(values, "plaintext_b64")
    ephemeral = KeyPair.of(import_private_key(data(values, "ephemeral_private_key_b64")))
    server_public = import_public_key(data(values, "server_public_key_b64"))
    request = ecies.ClientEncryptor(context, server_public, base).encrypt(
        plaintext,
        ephemeral=ephemeral,
        nonce=optional_data(values, "nonce_b64"),
        timestamp=values["timestamp"],
        encode_public_key=export_public_key,
    )
    read = EciesRequest.from_json_dict(request.to_json_dict(), version)
    opened, _ = ecies.open_envelope(context, _server_key(values), base, read)
    require(opened == plaintext, "the server opens the request")
    key = ecies.derive_envelope_key(_server_key(values), request.ephemeral_public_key, context.sh1, version)
    shared_info2 = ecies.request_shared_info2(context, base, request)
    edge = ecies.decrypt_request(version, key, shared_info2, read)
    require(edge == plaintext, "the edge opens the request")
    return {
        "ephemeral_public_key_b64": b64encode(request.ephemeral_public_key),
        "encrypted_data_b64": b64encode(request.encrypted_data),
        "mac_b64": b64encode(request.mac),
        "shared_info1_b64": b64encode(ecies.shared_info1(version, context.sh1)),
        "associated_data_b64": text_of(context.associated_data()),
        "shared_info2_base_b64": b64encode(base),
        "shared_info2_b64": b64encode(shared_info2),
        "envelope_key_b64": b64encode(key),
        "iv_b64": b64encode(ecies.envelope_iv(version, key, request.nonce)),
    }


def _response(values: Input) -> Output:
    context, base = _context(values)
    version, plaintext = context.version, data(values, "plaintext_b64")
    ephemeral = data(values, "ephemeral_public_key_b64")
    request_nonce = optional_data(values, "request_nonce_b64")
    key = ecies.derive_envelope_key(_server_key(values), ephemeral, context.sh1, version)
    envelope = ecies.ServerEnvelope(context, key, base, request_nonce)
    own_nonce = optional_data(values, "nonce_b64") if version.facts.response_nonce else None
    response = envelope.encrypt(plaintext, nonce=own_nonce, timestamp=values["timestamp"])
    shared_info2 = ecies.response_shared_info2(context, base, response.nonce, response.timestamp)
    read = EciesResponse.from_json_dict(response.to_json_dict(), version)
    opened = ecies.decrypt_response(version, key, shared_info2, read, request_nonce=request_nonce)
    require(opened == plaintext, "the client opens the response")
    iv_nonce = response.nonce if version.facts.response_nonce else request_nonce
    edge = ecies.encrypt_response(
        version, key, shared_info2, plaintext, nonce=iv_nonce, timestamp=response.timestamp
    )
    require(edge == response, "the edge makes the same response")
    return {
        "encrypted_data_b64": b64encode(response.encrypted_data),
        "mac_b64": b64encode(response.mac),
        "shared_info2_b64": b64encode(shared_info2),
        "envelope_key_b64": b64encode(key),
        "iv_b64": b64encode(ecies.envelope_iv(version, key, iv_nonce)),
    }


def _reject(values: Input) -> Output:
    context, base = _context(values)
    if values["direction"] == "request":
        request = EciesRequest.from_json_dict(values["request"], context.version)
        plaintext, _ = ecies.open_envelope(context, _server_key(values), base, request)
        return {"plaintext_b64": b64encode(plaintext)}
    response = EciesResponse.from_json_dict(values["response"], context.version)
    key = ecies.derive_envelope_key(
        _server_key(values), b64decode(values["ephemeral_public_key_b64"]), context.sh1, context.version
    )
    shared_info2 = ecies.response_shared_info2(context, base, response.nonce, response.timestamp)
    plaintext = ecies.decrypt_response(
        context.version,
        key,
        shared_info2,
        response,
        request_nonce=optional_data(values, "request_nonce_b64"),
    )
    return {"plaintext_b64": b64encode(plaintext)}


CHECKS: dict[str, Check] = {
    "ecies_request": _request,
    "ecies_response": _response,
    "ecies_reject": _reject,
}
