"""Wire model of the statement keys (D1 rule 5)."""

from __future__ import annotations

from types import NoneType
from typing import Any

from powerauth_contracts.calls import Call
from powerauth_contracts.wire import WireModel


class StatementKeysAnswer(WireModel):
    """Public keys that statements are verified with, as JSON Web Keys."""

    keys: list[dict[str, Any]]


KEYS = Call(
    "/rest/v3/statement/keys",
    NoneType,
    StatementKeysAnswer,
    "Public keys of the statements that ``token/who-am-i`` gives.",
)
