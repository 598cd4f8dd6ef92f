"""Echoes of decrypted requests, signed and unsigned (spec/enrollment-api.md §18)."""

from __future__ import annotations

from enrollment.container import Enrollment
from enrollment.core_actions import DEFAULT_TYPES
from enrollment.core_answers import VerifyAnswer
from enrollment.errors import EncryptionFailed, SignatureInvalid
from enrollment.pipeline.envelopes import (
    EnvelopeRefused,
    OpenedEnvelope,
    open_activation,
    open_application,
)
from enrollment.pipeline.incoming import Incoming, signature_header
from enrollment.standard.signatures import authenticate
from enrollment.wire import JsonObject, MalformedJson, ok_object, parse_json
from powerauth_protocol.ecies import Scope
from servicekit.wire import json_bytes

_SCOPE_NAMES = {Scope.APPLICATION: "APPLICATION_SCOPE", Scope.ACTIVATION: "ACTIVATION_SCOPE"}
_NO_DATA = "''"


async def echo(enrollment: Enrollment, incoming: Incoming, scope: Scope) -> bytes:
    """Answer an encrypted request in its scope.

    :raises EncryptionFailed: when the envelope cannot be opened or holds no `data`.
    """
    opener = open_application if scope is Scope.APPLICATION else open_activation
    try:
        envelope = await opener(enrollment.door, incoming)
        data = _data(envelope.plaintext_object())
    except EnvelopeRefused:
        raise EncryptionFailed from None
    text = f"Server successfully decrypted signed data: {data}, scope: {_SCOPE_NAMES[scope]}"
    return envelope.seal(json_bytes({"data": text}))


async def echo_signed(enrollment: Enrollment, incoming: Incoming, path: str) -> bytes:
    """Answer a signed and encrypted request with its data and the signer's user.

    :raises SignatureInvalid: when not authenticated.
    :raises EncryptionFailed: when the plaintext holds no `data`.
    """
    envelope, signer = await _open_signed(enrollment, incoming, path)
    data = _data(_object(envelope))
    text = (
        "Server successfully decrypted data and verified signature, "
        f"request data: {data}, user ID: {signer.user_id}"
    )
    return envelope.seal(json_bytes({"data": text}))


async def echo_string(enrollment: Enrollment, incoming: Incoming, path: str) -> bytes:
    """Answer a signed and encrypted JSON string with itself; errors as `echo_signed`."""
    envelope, _ = await _open_signed(enrollment, incoming, path)
    try:
        text = parse_json(envelope.plaintext)
    except MalformedJson:
        raise EncryptionFailed from None
    if not isinstance(text, str):
        raise EncryptionFailed
    return envelope.seal(json_bytes(text))


async def echo_raw(enrollment: Enrollment, incoming: Incoming, path: str) -> bytes:
    """Answer signed and encrypted bytes with themselves; errors as `echo_signed`."""
    envelope, _ = await _open_signed(enrollment, incoming, path)
    return envelope.seal(envelope.plaintext)


async def echo_wrapped(enrollment: Enrollment, incoming: Incoming, path: str) -> bytes:
    """Answer a signed and encrypted request object with a response object; errors as `echo_signed`."""
    envelope, _ = await _open_signed(enrollment, incoming, path)
    inner = _object(envelope).get("requestObject")
    if not isinstance(inner, dict):
        raise EncryptionFailed
    return envelope.seal(json_bytes(ok_object({"data": inner.get("data")})))


async def _open_signed(
    enrollment: Enrollment, incoming: Incoming, path: str
) -> tuple[OpenedEnvelope, VerifyAnswer]:
    """Sign-then-encrypt: the signature covers the plaintext, so without plaintext nothing is verified."""
    if signature_header(incoming, DEFAULT_TYPES) is None:
        raise SignatureInvalid
    try:
        envelope = await open_activation(enrollment.door, incoming)
    except EnvelopeRefused:
        raise SignatureInvalid from None
    signer = await authenticate(enrollment, incoming, "POST", path, DEFAULT_TYPES, envelope.plaintext)
    return envelope, signer


def _object(envelope: OpenedEnvelope) -> JsonObject:
    try:
        return envelope.plaintext_object()
    except EnvelopeRefused:
        raise EncryptionFailed from None


def _data(members: JsonObject) -> str:
    data = members.get("data")
    return data if isinstance(data, str) else _NO_DATA
