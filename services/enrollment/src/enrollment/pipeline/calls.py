"""Calls of the core as endpoints make them: the header, the call, and which error its failure is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from enrollment.core_client import CoreDoor, Judged
from enrollment.errors import SignatureInvalid
from enrollment.pipeline.incoming import Incoming, signature_header, token_header
from enrollment.pipeline.sealed import envelope_of
from enrollment.wire import EnvelopeMembers
from powerauth_contracts.calls import Call
from powerauth_contracts.dmz.headers import Header
from powerauth_contracts.dmz.models import SealedAnswer, SealedRequest, SignedRequest, TokenRequest
from powerauth_contracts.dmz.table import SignedCall, TokenCall
from powerauth_contracts.texts import CoreRefused
from powerauth_contracts.wire import WireModel
from servicekit.errors import ServiceError

Answer = TypeVar("Answer", bound=WireModel)
Failure = type[ServiceError] | Callable[[CoreRefused], Exception]
"""What a refusal of the core is to a device: always the same, or found out from it."""


async def called(door: CoreDoor, target: Call[Any, Answer], refused: Failure, /, **members: object) -> Answer:
    """Make a call that nobody signs."""
    try:
        return await door.call(target, **members)
    except CoreRefused as refusal:
        raise _error(refused, refusal) from None


async def signed(
    door: CoreDoor,
    target: SignedCall[SignedRequest, Judged],
    incoming: Incoming,
    refused: Failure,
    unauthenticated: type[ServiceError] = SignatureInvalid,
) -> Judged:
    """Have the core verify the signature of a request and act; it is not called for a header that cannot
    authenticate.

    :param unauthenticated: raised whatever the reason
    """
    header = signature_header(incoming, target.purpose.types, unauthenticated)
    try:
        answer = await door.signed(target, header, incoming.body)
    except CoreRefused as refusal:
        raise _error(refused, refusal) from None
    if answer is None:
        raise unauthenticated
    return answer


async def by_token(
    door: CoreDoor,
    target: TokenCall[TokenRequest, Judged],
    incoming: Incoming,
    refused: Failure,
    unauthenticated: type[ServiceError] = SignatureInvalid,
    /,
    **members: object,
) -> Judged:
    """The same for a token; `members` are what the core is told beside it."""
    header = token_header(incoming, unauthenticated)
    try:
        answer = await door.token(target, header, **members)
    except CoreRefused as refusal:
        raise _error(refused, refusal) from None
    if answer is None:
        raise unauthenticated
    return answer


async def sealed(
    door: CoreDoor,
    target: Call[SealedRequest, SealedAnswer],
    body: bytes,
    headers: Iterable[Header],
    refused: Failure,
    unusable: type[ServiceError],
) -> EnvelopeMembers:
    """Hand on a closed body with its headers and return the sealed answer.

    :param unusable: raised when the core does not act on what it opened
    :raises SignatureInvalid: when not authenticated
    """
    try:
        answer = await door.sealed(target, body, headers)
    except CoreRefused as refusal:
        raise _error(refused, refusal) from None
    return envelope_of(answer, unusable)


def _error(refused: Failure, refusal: CoreRefused) -> Exception:
    return refused() if isinstance(refused, type) else refused(refusal)
