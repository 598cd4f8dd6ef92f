"""Which statements of the core are good for which call (D1 rule 5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from powerauth_contracts import moments
from powerauth_contracts.enums import StatementAction
from powerauth_contracts.push import devices, inbox

ISSUER = "/powerauth-core"
LONGEST_LIFE_SECONDS = 300
CLOCK_TOLERANCE_SECONDS = 60
"""How far the core's clock may be ahead of ours, as everywhere between services."""
_LONGEST_ID = 64

ACTIONS: Mapping[str, frozenset[StatementAction]] = {
    devices.CREATE.path: frozenset({StatementAction.REGISTER_DEVICE}),
    inbox.COUNT.path: frozenset({StatementAction.COUNT_MESSAGES}),
    inbox.LIST.path: frozenset({StatementAction.LIST_MESSAGES}),
    inbox.DETAIL.path: frozenset({StatementAction.READ_MESSAGE, StatementAction.MARK_READ}),
    inbox.READ.path: frozenset({StatementAction.MARK_READ}),
    inbox.READ_ALL.path: frozenset({StatementAction.MARK_ALL_READ}),
}
"""The actions whose statements each call takes."""


class StatementInvalid(Exception):
    """It is not of the core, not of this call, or not of this time."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom the core says a request comes from."""

    activation_id: str
    user_id: str
    application_id: str


@dataclass(frozen=True, slots=True)
class Statement:
    """What the core has signed.

    :ivar expires: naive UTC
    """

    id: str
    expires: datetime
    subject: Subject


def read(path: str, claims: Mapping[str, Any], now: datetime) -> Statement:
    """The statement with these claims, whose signature is right.

    :param path: of the call that it came with
    :raises StatementInvalid: it is of something else, or over
    """
    names = ("jti", "aud", "activationId", "userId", "applicationId")
    statement_id, audience, *subject = (claims.get(name) for name in names)
    issued, expires = claims.get("iat"), claims.get("exp")
    if claims.get("iss") != ISSUER or audience not in {action.value for action in ACTIONS.get(path, ())}:
        raise StatementInvalid
    if not isinstance(statement_id, str) or not 0 < len(statement_id) <= _LONGEST_ID:
        raise StatementInvalid
    if not all(isinstance(part, str) and part for part in subject):
        raise StatementInvalid
    if (
        type(issued) is not int
        or type(expires) is not int
        or not 0 <= expires - issued <= LONGEST_LIFE_SECONDS
    ):
        raise StatementInvalid
    seconds = moments.to_ms(now) / 1000
    if not issued - CLOCK_TOLERANCE_SECONDS <= seconds < expires:
        raise StatementInvalid
    return Statement(statement_id, moments.from_ms(expires * 1000), Subject(*map(str, subject)))
