"""Temporary keys: the device's request passes through as it is (spec/enrollment-api.md §6.2)."""

from __future__ import annotations

from enrollment.container import Enrollment
from enrollment.core_actions import KEYSTORE_CREATE
from enrollment.core_client import CoreRefused
from enrollment.errors import TemporaryKeyFailed
from enrollment.wire import JsonObject, MalformedJson, parse_json_object, request_object, text_member
from powerauth_protocol.encoding import b64url_decode
from powerauth_protocol.errors import EncodingError

LONGEST_JWT = 8192
_LONGEST_APPLICATION_KEY = 64


async def create_temporary_key(enrollment: Enrollment, body: bytes, network: str) -> JsonObject:
    """Forward a key request and return the core's signed answer.

    :param network: what the limit per address counts.
    :raises TemporaryKeyFailed: for any unusable request and any refusal of the core.
    :raises TooManyRequests: when the address or the application key asks too often.
    """
    enrollment.limits.keystore_per_address.check(network)
    jwt = text_member(request_object(body), "jwt")
    if jwt is None or len(jwt) > LONGEST_JWT:
        raise TemporaryKeyFailed
    by_application = enrollment.limits.keystore_per_application_key
    if by_application.enabled and (application_key := claimed_application_key(jwt)) is not None:
        by_application.check(application_key)
    try:
        answer = await enrollment.door.call(KEYSTORE_CREATE, {"jwt": jwt})
    except CoreRefused:
        raise TemporaryKeyFailed from None
    return {"jwt": answer.jwt}


def claimed_application_key(jwt: str) -> str | None:
    """Return the application key that an unverified request names, to count it; None without one."""
    parts = jwt.split(".")
    if len(parts) != 3:
        return None
    try:
        claims = parse_json_object(b64url_decode(parts[1]))
    except (EncodingError, MalformedJson):
        return None
    application_key = text_member(claims, "applicationKey")
    if application_key is None or len(application_key) > _LONGEST_APPLICATION_KEY:
        return None
    return application_key
