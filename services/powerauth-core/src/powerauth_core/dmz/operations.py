"""Operations at the dmz door: what the device signed is what happens (spec/enrollment-api.md §10,
D14).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.models import (
    REQUEST_INVALID,
    OperationActionAnswer,
    OperationHistoryAnswer,
    SignedOperationRequest,
    SignedRequest,
)
from powerauth_contracts.dmz.table import OPERATION_APPROVE, OPERATION_HISTORY, OPERATION_REJECT
from powerauth_contracts.enums import UNEXPECTED_OPERATION, SignatureType
from powerauth_contracts.wire import ExactLongText, ExactText, ObjectRequest, RequestModel
from powerauth_core.dmz import signed
from powerauth_core.dmz.ports import Ports
from powerauth_core.dmz.views import operation_view
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.operations import door
from powerauth_core.operations.door import DoorOutcome
from powerauth_core.operations.stored import StoredOperation
from powerauth_core.settings import CoreSettings
from powerauth_core.verification.jobs import (
    NO_LOCK,
    Decision,
    LockedActivation,
    Plan,
    PlannedAction,
    Verified,
)

OTP_KEY = "proximity_otp"


class ProximityCheck(RequestModel):
    """Code that the device scanned; its other members only tell how and when."""

    otp: ExactText = Field(min_length=1, max_length=32)


class ApprovalBody(RequestModel):
    """Signed body of ``/operation/authorize`` (spec/enrollment-api.md §10.6)."""

    id: ExactText = Field(min_length=1, max_length=37)
    data: ExactLongText
    proximity_check: ProximityCheck | None = None
    number_matching: ExactText | None = Field(default=None, max_length=32, repr=False)
    mobile_token_data: dict[str, Any] | None = None


class RejectionBody(RequestModel):
    """Signed body of ``/operation/cancel`` (spec/enrollment-api.md §10.10)."""

    id: ExactText = Field(min_length=1, max_length=37)
    reason: str | None = Field(default=None, max_length=256)
    mobile_token_data: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Connection:
    """What the enrollment service saw of the device's connection; stored, never decisive."""

    client_address: str | None
    user_agent: str | None

    def members(self) -> dict[str, Any]:
        """As members of an operation's additional data (spec/core-api.md §19.4)."""
        found = {"ipAddress": self.client_address, "userAgent": self.user_agent}
        return {name: value for name, value in found.items() if value is not None}


class ApproveOperation(PlannedAction):
    """Approves the operation that the signed body names, or counts the failure on it (D14)."""

    def __init__(
        self,
        settings: CoreSettings,
        cipher: RecordCipher,
        body: ApprovalBody | None,
        connection: Connection,
    ) -> None:
        """
        :param body: None if the signed bytes are not a request
        """
        self.settings = settings
        self.cipher = cipher
        self.body = body
        self.connection = connection
        self.lock_key = NO_LOCK if body is None else body.id

    def is_idle(self, decision: Decision) -> bool:
        """The body is unusable, or the failure does not count as an attempt of an ACTIVE activation."""
        return self.body is None or not (decision.valid or decision.counted)

    def plan(self, record: StoredOperation | None, activation: LockedActivation, decision: Decision) -> Plan:
        """As `door.approve` or `door.fail_approval`."""
        body, actor = self.body, signed.actor_of(activation)
        assert body is not None
        if not decision.valid:
            return door.fail_approval(record, actor=actor, additional_data=self.connection.members())
        return door.approve(
            self.settings,
            self.cipher,
            record,
            actor=actor,
            data=body.data,
            signature_type=SignatureType.of(decision.signature_type),
            number=body.number_matching,
            additional_data=self._additional_data(body, activation, decision),
        )

    def _additional_data(
        self, body: ApprovalBody, activation: LockedActivation, decision: Decision
    ) -> dict[str, Any]:
        found = {
            **_identity(activation),
            **self.connection.members(),
            "authFactor": decision.signature_type.value.lower(),
        }
        if body.proximity_check is not None:
            found[OTP_KEY] = body.proximity_check.otp
        if body.mobile_token_data is not None:
            found["mobileTokenData"] = body.mobile_token_data
        return found


class RejectOperation(PlannedAction):
    """Rejects the operation that the signed body names."""

    def __init__(self, body: RejectionBody | None, connection: Connection) -> None:
        """
        :param body: None if the signed bytes are not a request
        """
        self.body = body
        self.connection = connection
        self.lock_key = NO_LOCK if body is None else body.id

    def is_idle(self, decision: Decision) -> bool:
        """The body is unusable, or the signature wrong."""
        return self.body is None or not decision.valid

    def plan(self, record: StoredOperation | None, activation: LockedActivation, decision: Decision) -> Plan:
        """As `door.reject`."""
        body = self.body
        assert body is not None
        additional = {**_identity(activation), **self.connection.members()}
        if body.reason is not None:
            additional["rejectReason"] = body.reason
        if body.mobile_token_data is not None:
            additional["mobileTokenData"] = body.mobile_token_data
        return door.reject(
            record,
            actor=signed.actor_of(activation),
            unexpected=body.reason == UNEXPECTED_OPERATION,
            additional_data=additional,
        )


class ListOperations(signed.DoorAction):
    """Lists the user's operations in all states."""

    def __init__(self, ports: Ports) -> None:
        self.ports = ports

    async def accepted(
        self, session: AsyncSession, activation: LockedActivation, decision: Decision
    ) -> list[StoredOperation]:
        """The newest operations that the activation may see."""
        return await door.list_all(self.ports.application_cache, session, actor=signed.actor_of(activation))


async def approve(ports: Ports, request: SignedOperationRequest) -> OperationActionAnswer:
    """``signed/operation/approve``.

    :raises OperationNotFound: no operation of this activation has the signed id
    :raises OperationNotApprovable: nobody has claimed it and the setting `require_claim` is on
    """
    body = signed.read_body(request)
    action = ApproveOperation(ports.settings, ports.cipher, _approval(body), _connection(request))
    header = request.header.header()
    verified = await signed.check(ports.verifier, header, body, OPERATION_APPROVE.purpose, action)
    if verified is None or not verified.valid:
        status = None if verified is None else verified.answer
        return OperationActionAnswer(authenticated=False, operation_status=status)
    return _outcome(verified)


async def reject(ports: Ports, request: SignedOperationRequest) -> OperationActionAnswer:
    """``signed/operation/reject``.

    :raises OperationNotFound: no operation of this activation has the signed id
    """
    body = signed.read_body(request)
    action = RejectOperation(_rejection(body), _connection(request))
    header = request.header.header()
    verified = await signed.check(ports.verifier, header, body, OPERATION_REJECT.purpose, action)
    if verified is None or not verified.valid:
        return OperationActionAnswer(authenticated=False)
    return _outcome(verified)


async def history(ports: Ports, request: SignedRequest) -> OperationHistoryAnswer:
    """``signed/operation/history``."""
    header = request.header.header()
    verified = await signed.check(
        ports.verifier, header, signed.read_body(request), OPERATION_HISTORY.purpose, ListOperations(ports)
    )
    if verified is None or not verified.valid:
        return OperationHistoryAnswer(authenticated=False)
    found: list[StoredOperation] = verified.answer
    return OperationHistoryAnswer(authenticated=True, operations=[operation_view(one) for one in found])


def _outcome(verified: Verified) -> OperationActionAnswer:
    outcome: DoorOutcome | None = verified.answer
    if outcome is None:
        return OperationActionAnswer(authenticated=True, refusal=REQUEST_INVALID)
    return OperationActionAnswer(
        authenticated=True,
        result=outcome.result,
        operation_status=outcome.operation_status,
        refusal=outcome.refusal,
        required_activation_flag=outcome.required_activation_flag,
    )


def _identity(activation: LockedActivation) -> dict[str, Any]:
    return {"activationId": activation.activation_id, "applicationId": activation.application_id}


def _connection(request: SignedOperationRequest) -> Connection:
    return Connection(request.client_address, request.user_agent)


def _approval(body: bytes) -> ApprovalBody | None:
    try:
        return ObjectRequest[ApprovalBody].model_validate_json(body).request_object
    except ValidationError:
        return None


def _rejection(body: bytes) -> RejectionBody | None:
    try:
        return ObjectRequest[RejectionBody].model_validate_json(body).request_object
    except ValidationError:
        return None
