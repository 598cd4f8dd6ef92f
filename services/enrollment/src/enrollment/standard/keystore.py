"""Temporary keys: the device's request passes through as it is (spec/enrollment-api.md §6.2)."""

from __future__ import annotations

from enrollment.container import Enrollment
from enrollment.core_actions import KEYSTORE_CREATE
from enrollment.core_client import CoreRefused
from enrollment.errors import TemporaryKeyFailed
from enrollment.wire import JsonObject, request_object, text_member
from powerauth_protocol.encoding import b64decode
from powerauth_protocol.errors import EncodingError, TokenFormatError
from powerauth_protocol.temporary_key import parse_request_jwt

LONGEST_JWT = 8192
APPLICATION_KEY_LENGTH = 16
_MAC_LENGTH = 32


async def create_temporary_key(enrollment: Enrollment, body: bytes, network: str) -> JsonObject:
    """Forward a key request and return the core's signed answer.

    :param network: what the limit per address counts.
    :raises TemporaryKeyFailed: for any unusable request and any refusal of the core.
    :raises TooManyRequests: when the address or the application key asks too often.
    """
    await enrollment.limits.keystore_per_address.check(network)
    jwt = text_member(request_object(body), "jwt")
    if jwt is None or len(jwt) > LONGEST_JWT:
        raise TemporaryKeyFailed
    by_application = enrollment.limits.keystore_per_application_key
    if by_application.enabled and (application_key := counted_application_key(jwt)) is not None:
        await by_application.check(application_key)
    try:
        answer = await enrollment.door.call(KEYSTORE_CREATE, {"jwt": jwt})
    except CoreRefused:
        raise TemporaryKeyFailed from None
    return {"jwt": answer.jwt}


def counted_application_key(jwt: str) -> str | None:
    """Return the application key that a well-formed request names; None for one that cannot be answered.

    What the core refuses without a look at its database must not use up the limit of an application.
    """
    try:
        request = parse_request_jwt(jwt)
        application_key = request.claims.application_key or ""
        b64decode(application_key, APPLICATION_KEY_LENGTH)
    except (TokenFormatError, EncodingError):
        return None
    return application_key if len(request.mac) == _MAC_LENGTH else None
