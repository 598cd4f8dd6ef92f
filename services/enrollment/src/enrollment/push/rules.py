"""Which registrations for push are usable, and who asks (spec/enrollment-api.md §13)."""

from __future__ import annotations

from dataclasses import dataclass, field

from enrollment.errors import InvalidRequest
from enrollment.wire import JsonObject

PLATFORMS = frozenset({"apns", "fcm", "hms", "ios", "android", "huawei"})
ENVIRONMENTS = frozenset({"development", "production"})
LONGEST_PUSH_TOKEN = 4096


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a token belongs to, and the core's signed statement of it for another service (JWT, 60 s)."""

    activation_id: str
    user_id: str
    application_id: str
    statement: str = field(repr=False)


def check_registration(request: JsonObject | None) -> JsonObject:
    """Return the platform, token and environment of a registration.

    :raises InvalidRequest: when one is missing or has an unknown value.
    """
    if request is None:
        raise InvalidRequest
    platform, token, environment = (request.get(name) for name in ("platform", "token", "environment"))
    if not isinstance(platform, str) or platform not in PLATFORMS:
        raise InvalidRequest
    if not isinstance(token, str) or not token.strip() or len(token) > LONGEST_PUSH_TOKEN:
        raise InvalidRequest
    registration: JsonObject = {"platform": platform, "token": token}
    if environment is not None:
        if not isinstance(environment, str) or environment not in ENVIRONMENTS:
            raise InvalidRequest
        registration["environment"] = environment
    return registration
