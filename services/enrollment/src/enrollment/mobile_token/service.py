"""The use cases of the mobile token; each is one call of the core (spec/enrollment-api.md §10.2-10.10)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from enrollment.core_client import CoreDoor, told
from enrollment.errors import AuthenticationFailed, InvalidRequest, TextsUnusable
from enrollment.mobile_token.ports import Ports, WithTexts
from enrollment.mobile_token.rendering import render_operation
from enrollment.mobile_token.rules import (
    Action,
    approval_error,
    core_error,
    rejection_error,
    status_error,
)
from enrollment.pipeline import calls
from enrollment.pipeline.incoming import Incoming, signature_header
from enrollment.texts.rows import TextsBroken, choose_row
from enrollment.wire import JsonObject, ok_object, request_object, text_member, wire_date
from powerauth_contracts.dmz.models import (
    DoorOperation,
    OperationActionAnswer,
    OperationDetailAnswer,
    SignedOperationRequest,
    TokenOperationRequest,
)
from powerauth_contracts.dmz.table import (
    OPERATION_APPROVE,
    OPERATION_CLAIM,
    OPERATION_DETAIL,
    OPERATION_HISTORY,
    OPERATION_LIST,
    OPERATION_REJECT,
    SignedCall,
    TokenCall,
)
from powerauth_contracts.texts import CoreRefused
from servicekit import clock
from servicekit.logs import get_logger

_log = get_logger(__name__)


async def list_operations(ports: Ports, incoming: Incoming, language: str) -> JsonObject:
    """Return the pending operations of the token's activation, newest first (§10.2).

    :raises AuthenticationFailed: when not authenticated.
    """
    answer = await calls.by_token(
        ports.door, OPERATION_LIST, incoming, partial(core_error, Action.LIST), AuthenticationFailed
    )
    rendered = await _render_all(ports, told(answer.operations), language)
    return ok_object(rendered, currentTimestamp=wire_date(answer.timestamp or clock.now_ms()))


async def operation_history(ports: Ports, incoming: Incoming, language: str) -> JsonObject:
    """Return the newest operations in every state (§10.5).

    :raises AuthenticationFailed: when not authenticated.
    """
    answer = await calls.signed(
        ports.door, OPERATION_HISTORY, incoming, partial(core_error, Action.LIST), AuthenticationFailed
    )
    return ok_object(await _render_all(ports, told(answer.operations), language))


async def operation_detail(ports: Ports, incoming: Incoming, language: str) -> JsonObject:
    """Return one pending operation (§10.3); errors as `_one_operation`."""
    return await _one_operation(ports, OPERATION_DETAIL, incoming, language)


async def claim_operation(ports: Ports, incoming: Incoming, language: str) -> JsonObject:
    """Make the token's user the owner of an operation without one, and return it (§10.4)."""
    return await _one_operation(ports, OPERATION_CLAIM, incoming, language)


async def _one_operation(
    ports: Ports,
    target: TokenCall[TokenOperationRequest, OperationDetailAnswer],
    incoming: Incoming,
    language: str,
) -> JsonObject:
    """The token is judged before the body: the core gets an empty id when the body names none.

    :raises AuthenticationFailed: when not authenticated.
    :raises InvalidRequest: when the body names no operation or the operation has no texts.
    """
    operation_id = text_member(request_object(incoming.body), "id")
    answer = await calls.by_token(
        ports.door,
        target,
        incoming,
        InvalidRequest if operation_id is None else partial(core_error, Action.DETAIL),
        AuthenticationFailed,
        id=operation_id or "",
    )
    if operation_id is None:
        raise InvalidRequest
    operation = told(answer.operation)
    over = status_error(operation.status)
    if over is not None:
        raise over
    try:
        rendered = await _render(ports, operation, language)
    except TextsBroken as broken:
        _log_broken(operation, broken)
        raise TextsUnusable from None
    if rendered is None:
        raise InvalidRequest("Template not found")
    return ok_object(rendered, currentTimestamp=wire_date(clock.now_ms()))


async def authorize_operation(
    door: CoreDoor, incoming: Incoming, client_address: str | None, user_agent: str | None
) -> None:
    """Approve the operation that the signed body names (§10.6).

    A header that cannot authenticate never touches the operation's failure count: the core is not called.

    :raises AuthenticationFailed: when not authenticated.
    :raises ServiceError: for an operation that is over or refused.
    """
    refused = partial(core_error, Action.AUTHORIZE)
    decision = await _decide(door, OPERATION_APPROVE, incoming, refused, client_address, user_agent)
    error = approval_error(decision)
    if error is not None:
        raise error


async def cancel_operation(
    door: CoreDoor, incoming: Incoming, client_address: str | None, user_agent: str | None
) -> None:
    """Reject the operation that the signed body names (§10.10).

    :raises AuthenticationFailed: when not authenticated, or without a request object.
    :raises ServiceError: for an operation that is over or refused.
    """
    refused = partial(core_error, Action.CANCEL)
    decision = await _decide(door, OPERATION_REJECT, incoming, refused, client_address, user_agent)
    error = rejection_error(decision, request_object(incoming.body))
    if error is not None:
        raise error


async def _decide(
    door: CoreDoor,
    target: SignedCall[SignedOperationRequest, OperationActionAnswer],
    incoming: Incoming,
    refused: Callable[[CoreRefused], Exception],
    client_address: str | None,
    user_agent: str | None,
) -> OperationActionAnswer:
    header = signature_header(incoming, target.purpose.types, AuthenticationFailed)
    try:
        return await door.decide(
            target, header, incoming.body, client_address=client_address, user_agent=user_agent
        )
    except CoreRefused as refusal:
        raise refused(refusal) from None


async def _render_all(
    ports: WithTexts, operations: Sequence[DoorOperation], language: str
) -> list[JsonObject]:
    """Operations without texts or with broken ones are left out of a list, and only those."""
    found = await ports.texts.rows_of({operation.operation_type for operation in operations})
    chosen = {kind: choose_row(rows, language) for kind, rows in found.items()}
    rendered: list[JsonObject] = []
    for operation in operations:
        row = chosen[operation.operation_type]
        if row is None:
            _log.warning("operation without texts", operation_type=operation.operation_type)
            continue
        try:
            rendered.append(render_operation(operation, row, language, ports.formatters))
        except TextsBroken as broken:
            _log_broken(operation, broken)
    return rendered


async def _render(ports: WithTexts, operation: DoorOperation, language: str) -> JsonObject | None:
    row = choose_row(await ports.texts.rows(operation.operation_type), language)
    if row is None:
        return None
    return render_operation(operation, row, language, ports.formatters)


def _log_broken(operation: DoorOperation, broken: TextsBroken) -> None:
    _log.error("texts of an operation are broken", operation_type=operation.operation_type, part=str(broken))
