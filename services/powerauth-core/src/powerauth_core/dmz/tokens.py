"""What a token opens at the dmz door: read-only calls, claiming, and a statement of who the device is."""

from __future__ import annotations

from powerauth_contracts import moments
from powerauth_contracts.dmz.models import (
    OperationDetailAnswer,
    OperationListAnswer,
    TokenHeaderFields,
    TokenOperationRequest,
    TokenRequest,
    WhoAmIAnswer,
    WhoAmIRequest,
)
from powerauth_contracts.dmz.table import ANY_TYPE, WHO_AM_I
from powerauth_core.dmz.ports import Ports
from powerauth_core.dmz.views import operation_view, shown_view
from powerauth_core.kernel.errors import CoreError
from powerauth_core.operations import door
from powerauth_core.operations.rules import Actor
from powerauth_core.statements import service as statements
from powerauth_core.tokens import service
from powerauth_core.tokens.checks import TokenCheck
from powerauth_core.tokens.repository import FoundToken
from powerauth_protocol.v3.signature import SignatureType
from servicekit import clock


async def authenticate(
    ports: Ports, fields: TokenHeaderFields, types: frozenset[SignatureType] = ANY_TYPE
) -> FoundToken | None:
    """The valid token of a header, which is spent by that whatever the call goes on to do (D1).

    :param types: signature types with which the token may have been created
    :return: None for whatever is wrong with it
    """
    header = fields.header()
    if header is None:
        return None
    try:
        check = TokenCheck.of(
            ports.settings,
            token_id=header.token_id,
            digest=header.token_digest,
            nonce=header.nonce,
            timestamp=int(header.timestamp),
            version=header.version,
        )
        verdict = await service.validate(ports, check)
    except CoreError:
        return None
    found = verdict.token
    if found is None or not verdict.valid or SignatureType.parse(found.signature_type) not in types:
        return None
    return found


async def list_operations(ports: Ports, request: TokenRequest) -> OperationListAnswer:
    """``token/operation/list``."""
    token = await authenticate(ports, request.header)
    if token is None:
        return OperationListAnswer(authenticated=False)
    found = await door.list_pending(ports, actor=_actor(token))
    now = clock.now()
    operations = [shown_view(operation, now) for operation in found]
    return OperationListAnswer(authenticated=True, operations=operations, timestamp=moments.to_ms(now))


async def operation_detail(ports: Ports, request: TokenOperationRequest) -> OperationDetailAnswer:
    """``token/operation/detail``.

    :raises OperationNotFound: unknown to this activation
    """
    token = await authenticate(ports, request.header)
    if token is None:
        return OperationDetailAnswer(authenticated=False)
    operation = await door.detail(ports.database, actor=_actor(token), operation_id=request.id)
    return OperationDetailAnswer(authenticated=True, operation=operation_view(operation))


async def claim_operation(ports: Ports, request: TokenOperationRequest) -> OperationDetailAnswer:
    """``token/operation/claim``.

    :raises OperationNotFound: unknown to this activation
    """
    token = await authenticate(ports, request.header)
    if token is None:
        return OperationDetailAnswer(authenticated=False)
    async with ports.database.transaction() as session:
        operation = await door.claim(ports, session, actor=_actor(token), operation_id=request.id)
    return OperationDetailAnswer(authenticated=True, operation=operation_view(operation))


async def who_am_i(ports: Ports, request: WhoAmIRequest) -> WhoAmIAnswer:
    """``token/who-am-i``: ids of the device and a statement of them, signed for the audience."""
    token = await authenticate(ports, request.header, WHO_AM_I.types)
    if token is None:
        return WhoAmIAnswer(authenticated=False)
    subject = statements.Subject(token.activation_id, token.user_id, token.application_id)
    return WhoAmIAnswer(
        authenticated=True,
        activation_id=token.activation_id,
        user_id=token.user_id,
        application_id=token.application_id,
        signature_type=token.signature_type.lower(),
        statement=await statements.sign(ports.database, ports.cipher, subject, request.audience),
    )


def _actor(token: FoundToken) -> Actor:
    return Actor(token.activation_id, token.user_id, token.application_id, token.activation_flags)
