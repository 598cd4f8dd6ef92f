"""The calls that a phone's login, payment or token make: answered by the shortest way (design §8)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from powerauth_contracts.calls import Call
from powerauth_contracts.rest import tokens as token_calls
from powerauth_contracts.rest import verification as signature_calls
from powerauth_core.dmz.use_cases import USE_CASES, UseCase
from powerauth_core.edge.lean import LeanCall
from powerauth_core.tokens import service as tokens
from powerauth_core.verification import service as signatures

_ANSWERED: Mapping[Call[Any, Any], UseCase] = {
    signature_calls.VERIFY: signatures.verify,
    token_calls.VALIDATE: tokens.validate_token,
    **USE_CASES,
}

HOT_CALLS = {
    call.path: LeanCall(call.path, call.request, perform) for call, perform in _ANSWERED.items() if call.fast
}
"""By path inside the service."""
