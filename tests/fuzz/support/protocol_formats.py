"""The readers of the protocol library with samples from the reference vectors (spec/protocol-v3.md)."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable
from functools import partial
from typing import Any

from wire_formats import WireFormat, vectors

from powerauth_protocol.common import encoding, json_text, request_data
from powerauth_protocol.common.errors import (
    DecryptionError,
    EncodingError,
    EnvelopeFormatError,
    HeaderError,
    KeyFormatError,
    ProtocolError,
    RecordError,
    TokenFormatError,
)
from powerauth_protocol.common.password_hash import verify_password
from powerauth_protocol.common.record_encryption import EncryptionMode, decrypt_record, encrypt_record
from powerauth_protocol.common.sdk_config import MobileSdkConfig
from powerauth_protocol.generation import read_authorization, read_encryption, read_token
from powerauth_protocol.v3 import activation_code, ecdsa, offline, status_blob
from powerauth_protocol.v3 import temporary_key as keys_for_a_while
from powerauth_protocol.v3.activation import (
    ActivationLayer1Request,
    ActivationLayer1Response,
    ActivationLayer2Request,
    ActivationLayer2Response,
    ActivationRecovery,
    ActivationType,
)
from powerauth_protocol.v3.ecies import (
    EciesContext,
    EciesRequest,
    EciesResponse,
    Scope,
    decrypt_request,
    request_shared_info2,
)
from powerauth_protocol.v3.ecies_derivation import EnvelopeKey
from powerauth_protocol.v3.http_headers import (
    EncryptionHeader,
    parse_fields,
)
from powerauth_protocol.v3.keys import (
    TransportKey,
    compress_public_key,
    export_private_key,
    export_public_key,
    generate_key_pair,
    import_private_key,
    import_public_key,
)
from powerauth_protocol.v3.signature import SignatureType
from powerauth_protocol.v3.versions import ProtocolVersion, signature_format_of

SIGNER = generate_key_pair()
MAC_KEY = bytes(range(16))
CHEAP_HASH = "$argon2i$v=19$m=8,t=1,p=1$AAECAwQFBgcICQoLDA0ODw$AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"


def _read_encryption(scope: Scope, text: Any) -> EncryptionHeader:
    return read_encryption(parse_fields(text), scope)


def _headers() -> list[WireFormat]:
    by_name: dict[str, list[str]] = {}
    for given, _ in vectors("http_header_parse"):
        by_name.setdefault(given["header_name"], []).append(given["header_value"])
    samples = {name: [text for text in texts if text] for name, texts in by_name.items()}
    everything = [text for texts in samples.values() for text in texts]
    build: Callable[[Any], str] = lambda header: header.build()  # noqa: E731 - the same for three headers
    encryption = samples["X-PowerAuth-Encryption"]
    return [
        WireFormat("header fields", everything, parse_fields),
        WireFormat(
            "signature header",
            samples["X-PowerAuth-Authorization"],
            lambda text: read_authorization(parse_fields(text)),
            (HeaderError,),
            build,
            share=3,
        ),
        WireFormat(
            "token header",
            samples["X-PowerAuth-Token"],
            lambda text: read_token(parse_fields(text)),
            (HeaderError,),
            build,
            share=2,
        ),
        *(
            WireFormat(
                f"encryption header, {scope.value}",
                encryption,
                partial(_read_encryption, scope),
                (HeaderError,),
                build,
            )
            for scope in Scope
        ),
    ]


def _request_of(given: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    members = {
        "temporaryKeyId": given["temporary_key_id"] if given["version"] == "3.3" else None,
        "ephemeralPublicKey": made["ephemeral_public_key_b64"],
        "encryptedData": made["encrypted_data_b64"],
        "mac": made["mac_b64"],
        "nonce": given["nonce_b64"],
        "timestamp": given["timestamp"],
    }
    return {name: value for name, value in members.items() if value is not None}


def _response_of(given: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    sealed = {"encryptedData": made["encrypted_data_b64"], "mac": made["mac_b64"]}
    if ProtocolVersion.parse(given["version"]).facts.response_nonce:
        sealed |= {"nonce": given["nonce_b64"], "timestamp": given["timestamp"]}
    return sealed


def _text(members: dict[str, Any]) -> str:
    return json.dumps(members)


def _read_envelope(kind: Any, version: ProtocolVersion, text: str) -> Any:
    return kind.from_json_dict(json_text.read_json_object(text), version)


def _write_envelope(envelope: Any) -> str:
    return _text(envelope.to_json_dict())


def _envelopes() -> list[WireFormat]:
    requests = [(given, _request_of(given, made)) for given, made in vectors("ecies_request")]
    responses = [(given, _response_of(given, made)) for given, made in vectors("ecies_response")]
    formats = []
    for version in ProtocolVersion:
        for name, kind, all_of in (
            ("request", EciesRequest, requests),
            ("response", EciesResponse, responses),
        ):
            own = [_text(members) for given, members in all_of if given["version"] == version.value]
            formats.append(
                WireFormat(
                    f"{name} envelope, {version.value}",
                    own,
                    partial(_read_envelope, kind, version),
                    (EncodingError, EnvelopeFormatError),
                    _write_envelope,
                )
            )
        given, made = next(both for both in vectors("ecies_request") if both[0]["version"] == version.value)
        formats.append(
            WireFormat(
                f"opened envelope, {version.value}",
                [_text(_request_of(given, made))],
                partial(_open, given, made),
                (EncodingError, EnvelopeFormatError, DecryptionError),
                sealed=True,
            )
        )
    return formats


def _open(given: dict[str, Any], made: dict[str, Any], text: str) -> bytes:
    """As the edge does it: with the envelope's key, and shared information from what was received."""
    version = ProtocolVersion.parse(given["version"])
    request = _read_envelope(EciesRequest, version, text)
    context = EciesContext(
        version,
        Scope(given["scope"]),
        given["shared_info1"],
        given["application_key"],
        activation_id=given["activation_id"],
        temporary_key_id=request.temporary_key_id,
    )
    info = request_shared_info2(context, b64decode(made["shared_info2_base_b64"]), request)
    plaintext = decrypt_request(version, EnvelopeKey(b64decode(made["envelope_key_b64"])), info, request)
    # In 3.1 nothing vouches for the nonce, and so for the first block.
    return plaintext if version is not ProtocolVersion.V3_1 else plaintext[16:]


def _layers() -> list[WireFormat]:
    formats = []
    for version in (ProtocolVersion.V3_1, ProtocolVersion.V3_3):
        request, response = (
            next(of(given, made) for given, made in vectors(topic) if given["version"] == version.value)
            for topic, of in (("ecies_request", _request_of), ("ecies_response", _response_of))
        )
        first = ActivationLayer1Request(
            ActivationType.CODE,
            {"code": "OVFFS-BOANN-TV33D-GRO5Q"},
            EciesRequest.from_json_dict(request, version),
            {"key": "value"},
        )
        answer = ActivationLayer1Response(
            EciesResponse.from_json_dict(response, version), {"key": [1]}, {"sub": "alice"}
        )
        formats += [
            WireFormat(
                f"layer 1 request, {version.value}",
                [first.to_json()],
                partial(ActivationLayer1Request.from_json, version=version),
                (EncodingError, EnvelopeFormatError),
                lambda layer: layer.to_json(),
            ),
            WireFormat(
                f"layer 1 response, {version.value}",
                [answer.to_json()],
                partial(ActivationLayer1Response.from_json, version=version),
                (EncodingError, EnvelopeFormatError),
                lambda layer: layer.to_json(),
            ),
        ]
    offer = ActivationLayer2Request(
        device_public_key=compress_public_key(SIGNER.public),
        activation_name="Phone ☎",
        activation_otp="123456",
        extras="extras",
        platform="ios",
        device_info="iPhone13,2",
    )
    recovery = ActivationRecovery("OVFFS-BOANN-TV33D-GRO5Q", "1234567890")
    activation_id = "f0f0ef95-5a96-4796-b38e-3b3770340bb9"
    joined = ActivationLayer2Response(activation_id, export_public_key(SIGNER.public), bytes(16), recovery)
    return [
        *formats,
        WireFormat(
            "layer 2 request",
            [offer.to_json()],
            ActivationLayer2Request.from_json,
            (EncodingError,),
            lambda layer: layer.to_json(),
        ),
        WireFormat(
            "layer 2 response",
            [joined.to_json()],
            ActivationLayer2Response.from_json,
            (EncodingError,),
            lambda layer: layer.to_json(),
        ),
    ]


def _jwts() -> list[WireFormat]:
    requests = [given["jwt"] for given, _ in vectors("temporary_key_jwt_request")]
    responses = [given["jwt"] for given, _ in vectors("temporary_key_jwt_response")]
    wanted = keys_for_a_while.TemporaryKeyRequest("VHdHVnrDfyw9a6IAEGsWow==", None, "AAAA")
    signed = keys_for_a_while.build_request_jwt(wanted, MAC_KEY)
    ours = keys_for_a_while.TemporaryKey(
        key_id="4670598a-9122-406e-b5c5-e14f0fe07e13",
        application_key=wanted.application_key or "",
        activation_id=None,
        challenge="AAAA",
        public_key=SIGNER.public,
        issued_at_ms=1_795_051_531_021,
        expires_at_ms=1_795_051_831_021,
    )
    answered = keys_for_a_while.build_response_jwt(ours, SIGNER.private)

    def authentic(text: str) -> Any:
        request = keys_for_a_while.parse_request_jwt(text)
        if not request.verify(MAC_KEY):
            raise TokenFormatError
        return request.claims

    def authentic_answer(text: str) -> Any:
        claims = keys_for_a_while.verify_response_jwt(text, SIGNER.public).to_claims()
        return json.dumps(claims, sort_keys=True)

    return [
        WireFormat(
            "key request",
            requests,
            lambda text: keys_for_a_while.parse_request_jwt(text).claims,
            (TokenFormatError,),
            lambda claims: keys_for_a_while.build_request_jwt(claims, MAC_KEY),
            share=2,
        ),
        WireFormat("key answer", responses, keys_for_a_while.parse_response_jwt, (TokenFormatError,)),
        WireFormat("authentic key request", [signed], authentic, (TokenFormatError,), sealed=True),
        WireFormat("authentic key answer", [answered], authentic_answer, (TokenFormatError,), sealed=True),
    ]


def _texts() -> list[WireFormat]:
    codes = [given["activation_code"] or "" for given, _ in vectors("activation_code_validation")]
    signed = [
        f"{given['activation_code']}#{given['signature_b64']}"
        for given, _ in vectors("activation_code_signature")
    ]
    recovery = [activation_code.build_recovery_qr(code) for code in codes]
    queries = [given["query"] or "" for given, _ in vectors("http_query_canonicalization")]
    payloads = [given["offline_data"] for given, _ in vectors("offline_qr_payload")]
    ours = offline.build_personalized(
        "77cd640d\nPayment\nPlease\\nconfirm\nA1*A3926CZK*ICZ27\nBX", bytes(16), SIGNER.private, "12345678"
    )
    configuration = MobileSdkConfig(
        application_key=bytes(16),
        application_secret=bytes(16),
        master_public_key=export_public_key(SIGNER.public),
    ).build()

    def authentic_payload(text: str) -> str:
        payload = offline.parse_offline_payload(text)
        if not payload.verify(SIGNER.public):
            raise EncodingError("not signed")
        return payload.signed_part

    def write_qr(qr: activation_code.ActivationQr) -> str:
        if qr.is_recovery:
            return activation_code.build_recovery_qr(qr.code)
        return activation_code.build_qr(qr.code, qr.signature)

    def canonical(query: str) -> str | None:
        signed = request_data.canonical_query(query)
        if signed is not None and len(signed) > request_data.MAX_QUERY:
            raise EncodingError("longer with its escapes than what is read")
        return signed

    return [
        WireFormat("activation code", codes, activation_code.validate, share=2),
        WireFormat("typed code", codes, activation_code.normalise_typed),
        WireFormat(
            "activation QR",
            codes + signed + recovery,
            activation_code.parse_qr,
            (EncodingError,),
            write_qr,
            share=2,
        ),
        WireFormat("query", queries, canonical, (EncodingError,), lambda query: query or ""),
        WireFormat(
            "query as the original decodes it",
            queries,
            request_data.canonical_query_predecoded,
            (EncodingError,),
        ),
        WireFormat(
            "password hash",
            [CHEAP_HASH],
            lambda text: verify_password("1", text),
            (EncodingError,),
            share=0.05,
        ),
        WireFormat("offline payload", [*payloads, ours], offline.parse_offline_payload, (EncodingError,)),
        WireFormat("authentic offline payload", [ours], authentic_payload, (EncodingError,), sealed=True),
        WireFormat(
            "SDK configuration",
            [configuration],
            MobileSdkConfig.parse,
            (EncodingError,),
            lambda config: config.build(),
        ),
        WireFormat(
            "version",
            [version.value for version in ProtocolVersion],
            ProtocolVersion.parse,
            (ProtocolError,),
            str,
        ),
        WireFormat("signature format", ["3.0", "3.3"], signature_format_of, (ProtocolError,)),
        WireFormat(
            "signature type",
            [kind.value for kind in SignatureType],
            SignatureType.parse,
            (ProtocolError,),
            lambda kind: kind.value,
        ),
    ]


def _bytes() -> list[WireFormat]:
    texts = [given["encoded_b64"] for given, _ in vectors("public_key_import")]
    points = [b64decode(text) for text in texts]
    private = [b64decode(made["encoded_b64"]) for _, made in vectors("private_key_encoding")]
    der = [b64decode(given["signature_b64"]) for given, _ in vectors("ecdsa_verify")]
    transport = TransportKey(bytes(16))
    blob = status_blob.StatusBlob(3, 1, 5, 7, 20, bytes(16)).encrypt(transport)
    _, stored = encrypt_record(MAC_KEY, ("a",), bytes(range(40)))

    def read_record(data: bytes) -> bytes:
        return decrypt_record(MAC_KEY, EncryptionMode.AES_HMAC, ("a",), data.decode("latin-1"))

    return [
        WireFormat(
            "Base64", [*texts, "", "AA==", "AAA="], encoding.b64decode, (EncodingError,), encoding.b64encode
        ),
        WireFormat(
            "Base64 of URLs",
            ["", "AA", "AAA", "-_-_", "HyXCG096xzDtNCEn6yp6fGwG7HU"],
            encoding.b64url_decode,
            (EncodingError,),
            encoding.b64url_encode,
        ),
        WireFormat(
            "public key",
            points,
            lambda data: export_public_key(import_public_key(data)),
            (KeyFormatError,),
            lambda data: data,
            share=2,
        ),
        WireFormat(
            "private key",
            private,
            lambda data: export_private_key(import_private_key(data)),
            (KeyFormatError,),
            lambda data: data,
        ),
        WireFormat("DER signature", der, ecdsa.der_to_jose, (EncodingError,), ecdsa.jose_to_der),
        WireFormat(
            "status",
            [blob],
            partial(status_blob.decrypt, transport),
            (DecryptionError, EncodingError),
            lambda status: status.encrypt(transport),
        ),
        WireFormat("stored record", [stored.encode()], read_record, (RecordError, EncodingError)),
    ]


def protocol_formats() -> list[WireFormat]:
    """All of them."""
    return [*_headers(), *_envelopes(), *_layers(), *_jwts(), *_texts(), *_bytes()]
