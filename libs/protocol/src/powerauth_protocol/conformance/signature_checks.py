"""Counters, authentication codes, one-time passwords, ECDSA (spec/protocol-v3.md §8, §10, §11)."""

from __future__ import annotations

from powerauth_protocol.common import request_data, totp
from powerauth_protocol.common.encoding import b64encode
from powerauth_protocol.conformance.values import (
    Check,
    Input,
    Output,
    data,
    factor_keys,
    require,
)
from powerauth_protocol.v3 import counter, ecdsa, offline, signature
from powerauth_protocol.v3.keys import TransportKey, import_public_key
from powerauth_protocol.v3.token import token_digest, verify_token_digest
from powerauth_protocol.v3.versions import ProtocolVersion, SignatureFormat, signature_format_of


def sign_and_verify(signed: bytes, values: Input, fmt: SignatureFormat, component_length: int = 8) -> str:
    """Compute a code and check that the server side accepts it at this counter and one step before."""
    keys, ctr = factor_keys(values), data(values, "ctr_data_b64")
    kind = signature.SignatureType.parse(values["signature_type"])
    code = signature.compute_signature(signed, signature.signing_keys(keys, kind), ctr, fmt, component_length)
    match = signature.verify_with_lookahead([signed], code, [kind], keys, ctr, 20, fmt, component_length)
    require(match is not None and match.step == 0, "the server accepts the code")
    require(match is not None and match.next_ctr_data == counter.next_counter(ctr), "the counter moves on")
    later = signature.verify_with_lookahead(
        [signed], code, [kind], keys, counter.next_counter(ctr), 20, fmt, component_length
    )
    require(later is None, "a code is not accepted again")
    return code


def _hash_counter(values: Input) -> Output:
    current = data(values, "ctr_data_b64")
    found: list[str] = []
    for _ in range(values["steps"]):
        current = counter.next_counter(current)
        found.append(b64encode(current))
    return {"next_values_b64": found}


def _online(values: Input) -> Output:
    fmt = ProtocolVersion.parse(values["version"]).facts.signature_format
    require(fmt.value == values["signature_format"], "the version selects the format")
    return {"signature": sign_and_verify(data(values, "data_b64"), values, fmt)}


def _offline(values: Input) -> Output:
    base = request_data.signature_base(
        values["http_method"], values["uri_id"], data(values, "nonce_b64"), values["body"].encode("utf-8")
    )
    signed = request_data.normalized_data(base, values["application_secret"])
    length = values["component_length"]
    code = sign_and_verify(signed, values, SignatureFormat.DECIMAL, 8 if length is None else length)
    return {"normalized_data": signed.decode("utf-8"), "signature": code}


def _format(values: Input) -> Output:
    return {"signature_format": signature_format_of(values["version"]).value}


def _ctr_hash(values: Input) -> Output:
    key = TransportKey(data(values, "transport_key_b64"))
    return {"ctr_data_hash_b64": b64encode(counter.counter_hash(key, data(values, "ctr_data_b64")))}


def _ctr_lookahead(values: Input) -> Output:
    return {
        "distance": counter.hash_distance(
            data(values, "received_ctr_data_hash_b64"),
            data(values, "local_ctr_data_b64"),
            TransportKey(data(values, "transport_key_b64")),
            values["look_ahead"],
        )
    }


def _token(values: Input) -> Output:
    version = ProtocolVersion.parse(values["version"])
    secret, nonce, moment = data(values, "token_secret_b64"), data(values, "nonce_b64"), values["timestamp"]
    digest = token_digest(secret, nonce, moment, version)
    require(verify_token_digest(digest, secret, nonce, moment, version), "the server accepts the digest")
    return {"token_digest_b64": b64encode(digest)}


def _totp(values: Input) -> Output:
    otp = totp.totp(
        data(values, "key_b64"),
        values["unix_time"],
        values["step_seconds"],
        values["digits"],
        values["algorithm"],
    )
    return {"otp": otp}


def _totp_validation(values: Input) -> Output:
    valid = totp.validate(
        values["otp"],
        data(values, "key_b64"),
        values["unix_time"],
        values["step_seconds"],
        values["digits"],
        values["backward_steps"],
        algorithm=values["algorithm"],
    )
    return {"valid": valid}


def _ecdsa(values: Input) -> Output:
    public, fmt = import_public_key(data(values, "public_key_b64")), ecdsa.EcdsaFormat(values["format"])
    return {"valid": ecdsa.verify(public, data(values, "data_b64"), data(values, "signature_b64"), fmt)}


def _offline_qr(values: Input) -> Output:
    payload = offline.parse_offline_payload(values["offline_data"])
    return {
        "signed_part": payload.signed_part,
        "signature_b64": b64encode(payload.signature),
        "valid": payload.verify(import_public_key(data(values, "public_key_b64"))),
    }


CHECKS: dict[str, Check] = {
    "hash_counter": _hash_counter,
    "signature_online": _online,
    "signature_offline": _offline,
    "signature_version_format": _format,
    "ctr_data_hash": _ctr_hash,
    "ctr_data_hash_lookahead": _ctr_lookahead,
    "token_digest": _token,
    "totp": _totp,
    "totp_validation": _totp_validation,
    "ecdsa_verify": _ecdsa,
    "offline_qr_payload": _offline_qr,
}
