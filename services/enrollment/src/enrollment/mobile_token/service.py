"""The use cases of the mobile token; each is one call of the core (spec/enrollment-api.md §10.2-10.10)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from enrollment.core_client import CoreDoor, CoreRefused, told
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
from enrollment.pipeline.incoming import Incoming, signature_header, token_header
from enrollment.texts.rows import TextsBroken, choose_row
from enrollment.wire import JsonObject, ok_object, request_object, text_member, wire_date
from powerauth_contracts.dmz.models import DoorOperation, OperationDetailAnswer, TokenOperationRequest
from powerauth_contracts.dmz.table import (
    OPERATION_APPROVE,
    OPERATION_CLAIM,
    OPERATION_DETAIL,
    OPERATION_HISTORY,
    OPERATION_LIST,
    OPERATION_REJECT,
    TokenCall,
)
from servicekit import clock
from servicekit.logs import get_logger

_log = get_logger(__name__)


async def list_operations(ports: Ports, incoming: Incoming, language: str) -> JsonObject:
    """Return the pending operations of the token's activation, newest first (§10.2).

    :raises AuthenticationFailed: when not authenticated.
    """
    header = token_header(incoming)
    if header is None:
        raise AuthenticationFailed
    try:
        answer = await ports.door.token(OPERATION_LIST, header)
    except CoreRefused as refusal:
        raise core_error(Action.LIST, refusal.code) from None
    if answer is None:
        raise AuthenticationFailed
    rendered = await _render_all(ports, told(answer.operations), language)
    return ok_object(rendered, currentTimestamp=wire_date(answer.timestamp or clock.now_ms()))


async def operation_history(ports: Ports, incoming: Incoming, language: str) -> JsonObject:
    """Return the newest operations in every state (§10.5).

    :raises AuthenticationFailed: when not authenticated.
    """
    header = signature_header(incoming, OPERATION_HISTORY.purpose.types)
    if header is None:
        raise AuthenticationFailed
    try:
        answer = await ports.door.signed(OPERATION_HISTORY, header, incoming.body)
    except CoreRefused as refusal:
        raise core_error(Action.LIST, refusal.code) from None
    if answer is None:
        raise AuthenticationFailed
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
    header = token_header(incoming)
    if header is None:
        raise AuthenticationFailed
    operation_id = text_member(request_object(incoming.body), "id")
    try:
        answer = await ports.door.token(target, header, {"id": operation_id or ""})
    except CoreRefused as refusal:
        if operation_id is None:
            raise InvalidRequest from None
        raise core_error(Action.DETAIL, refusal.code) from None
    if answer is None:
        raise AuthenticationFailed
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
    header = signature_header(incoming, OPERATION_APPROVE.purpose.types)
    if header is None:
        raise AuthenticationFailed
    try:
        decision = await door.decide(
            OPERATION_APPROVE, header, incoming.body, client_address=client_address, user_agent=user_agent
        )
    except CoreRefused as refusal:
        raise core_error(Action.AUTHORIZE, refusal.code) from None
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
    header = signature_header(incoming, OPERATION_REJECT.purpose.types)
    if header is None:
        raise AuthenticationFailed
    try:
        decision = await door.decide(
            OPERATION_REJECT, header, incoming.body, client_address=client_address, user_agent=user_agent
        )
    except CoreRefused as refusal:
        raise core_error(Action.CANCEL, refusal.code) from None
    error = rejection_error(decision, request_object(incoming.body))
    if error is not None:
        raise error


async def _render_all(
    ports: WithTexts, operations: Sequence[DoorOperation], language: str
) -> list[JsonObject]:
    """Operations without texts or with broken ones are left out of a list, and only those."""
    await asyncio.gather(*map(ports.texts.rows, {operation.operation_type for operation in operations}))
    rendered: list[JsonObject] = []
    for operation in operations:
        try:
            members = await _render(ports, operation, language)
        except TextsBroken as broken:
            _log_broken(operation, broken)
            continue
        if members is None:
            _log.warning("operation without texts", operation_type=operation.operation_type)
            continue
        rendered.append(members)
    return rendered


async def _render(ports: WithTexts, operation: DoorOperation, language: str) -> JsonObject | None:
    row = choose_row(await ports.texts.rows(operation.operation_type), language)
    if row is None:
        return None
    return render_operation(operation, row, language, ports.formatters)


def _log_broken(operation: DoorOperation, broken: TextsBroken) -> None:
    _log.error("texts of an operation are broken", operation_type=operation.operation_type, part=str(broken))
