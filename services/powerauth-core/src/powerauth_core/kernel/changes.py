"""Changes that others hear of, as facts, and who hears of them.

A room that changes something knows nobody who wants to know: it tells the listeners, a table made at start
(`powerauth_core.runtime`). They are told one after another in the transaction of the change, and what one of
them raises undoes the change. Most of them only keep something: they add rows, which are written together.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum, auto
from typing import Any, Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus, OperationStatus
from servicekit.additions import Additions

PROXIMITY_OTP = "proximity_otp"
"""Member of an operation's additional data that no audit keeps."""


class Cause(Enum):
    """Why an activation changed, where somebody acts on it."""

    COMMIT = auto()
    """It was committed."""
    GIVEN_UP = auto()
    """It was not finished in time, or with too many wrong passwords."""
    REMOVAL = auto()
    """The user, the bank or another activation removed it."""
    REMOVAL_WITH_CODES = auto()
    """The same, with the wish that its recovery codes go with it."""
    OTHER = auto()


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True, kw_only=True)
class ActivationChanged:
    """An activation as it is after a change.

    :ivar application_id: public id of its application
    :ivar previous_status: None for a new activation
    :ivar reason: reason of the change; of a BLOCKED activation why it is blocked
    :ivar external_user_id: who asked for the change, None for the user or the system
    :ivar notify: whether callbacks hear of it (spec/core-api.md §22.1)
    """

    activation_id: str
    application_id: str
    user_id: str
    protocol: ActivationProtocol
    status: ActivationStatus
    previous_status: ActivationStatus | None
    cause: Cause
    reason: str | None
    external_user_id: str | None
    notify: bool
    changed: datetime
    blocked_reason: str | None
    name: str | None
    platform: str | None
    device_info: str | None
    flags: Sequence[str]
    version: int | None
    failed_attempts: int
    max_failed_attempts: int
    parent_activation_id: str | None
    transfer_type: str | None


class OperationStep(Enum):
    """What happened to an operation; the value is how the audit words it."""

    CREATED = "Operation created"
    APPROVED = "Operation approved"
    APPROVAL_FAILED = "Operation approval failed"
    FAILED = "Operation failed"
    REJECTED = "Operation rejected"
    CANCELED = "Operation canceled"
    EXPIRED = "Operation expired"
    CLAIMED = "Operation claimed"
    """Somebody became its user; only the audit hears of it (spec/core-api.md §18.2)."""

    @property
    def changes_status(self) -> bool:
        """Whether the status is another one afterwards."""
        return self not in (OperationStep.CREATED, OperationStep.APPROVAL_FAILED, OperationStep.CLAIMED)


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationChanged:
    """An operation as it is after a change.

    :ivar applications: public ids of its applications
    :ivar additional_data: with the ``device`` of the user agent
    :ivar signature_types: upper case
    :ivar proximity: outcome of the proximity check of an approval
    :ivar activation_id_matches: whether the approving activation is the bound one
    :ivar number_matches: whether an approval brought the number that was asked for
    """

    step: OperationStep
    operation_id: str
    user_id: str | None
    applications: Sequence[str]
    activation_id: str | None
    external_id: str | None
    activation_flag: str | None
    operation_type: str
    template_name: str | None
    data: str
    parameters: Mapping[str, Any]
    additional_data: Mapping[str, Any]
    signature_types: Sequence[str]
    status: OperationStatus
    status_reason: str | None
    failure_count: int
    max_failure_count: int
    created: datetime
    expires: datetime
    finalized: datetime | None
    proximity: str | None = None
    activation_id_matches: bool | None = None
    number_matches: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PasskeyJudged:
    """A passkey whose attestation was looked at again, with another outcome (spec/device-trust.md §4.11).

    :ivar aaguid: its model, lower case
    :ivar kind: who signed its statement
    :ivar trust: as it is now; the same as before where the outcome is only recorded
    :ivar reason: why trust is no higher, or what `enforce` would have said
    :ivar mds_no: number of the metadata
    """

    activation_id: str
    application_id: str
    user_id: str
    aaguid: str
    fmt: str | None
    kind: str | None
    previous_trust: str
    trust: str
    reason: str | None
    mds_no: int | None

    @property
    def changes_trust(self) -> bool:
        """Whether its trust is another one."""
        return self.trust != self.previous_trust


ActivationListener = Callable[[AsyncSession, Sequence[ActivationChanged]], Awaitable[None]]
"""Does something of its own to what belongs to activations that end, and that are locked."""


class Keeper(Protocol):
    """Keeps something of changes: adds rows, or alters some by what they are."""

    def activation_changed(self, additions: Additions, change: ActivationChanged) -> None:
        """Add what is to be kept of an activation's change."""
        ...

    def operation_changed(self, additions: Additions, change: OperationChanged) -> None:
        """Add what is to be kept of an operation's change."""
        ...


class PasskeyKeeper(Protocol):
    """Keeps something of passkeys that were judged again."""

    def passkey_judged(self, additions: Additions, change: PasskeyJudged) -> None:
        """Add what is to be kept."""
        ...


class Subscriptions(Protocol):
    """What a keeper must have read before it hears of changes."""

    def knows(self, application_ids: Collection[str]) -> bool:
        """Whether what it knows of these applications is fresh."""
        ...

    async def learn(self, session: AsyncSession, application_ids: Collection[str]) -> None:
        """Read what it does not know of these applications."""
        ...


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of a change, in this order.

    :ivar activations: those who act on the ends of activations
    :ivar keepers: those who keep something of a change
    :ivar subscriptions: to be known before the keepers are told
    :ivar passkeys: those who keep something of passkeys that were judged again
    """

    activations: tuple[ActivationListener, ...]
    keepers: tuple[Keeper, ...]
    subscriptions: Subscriptions
    passkeys: tuple[PasskeyKeeper, ...] = ()

    async def activation_changed(
        self, session: AsyncSession, change: ActivationChanged, additions: Additions | None = None
    ) -> None:
        """Tell everybody of an activation's change.

        :param additions: what else goes with it
        """
        await self.activations_changed(session, [change], additions or Additions.of(session))

    async def activations_changed(
        self, session: AsyncSession, changes: Sequence[ActivationChanged], additions: Additions
    ) -> None:
        """The same of several, all of which is written together."""
        for listener in self.activations:
            await listener(session, changes)
        await self.subscriptions.learn(session, {change.application_id for change in changes})
        for change in changes:
            self.keep_activation_change(additions, change)
        await additions.write(session)

    async def operation_changed(self, session: AsyncSession, change: OperationChanged) -> None:
        """Tell everybody of an operation's change."""
        await self.subscriptions.learn(session, change.applications)
        additions = Additions.of(session)
        self.keep_operation_change(additions, change)
        await additions.write(session)

    async def passkeys_judged(self, session: AsyncSession, changes: Sequence[PasskeyJudged]) -> None:
        """Tell everybody of passkeys that were judged again."""
        await self.subscriptions.learn(session, {change.application_id for change in changes})
        additions = Additions.of(session)
        for keeper in self.passkeys:
            for change in changes:
                keeper.passkey_judged(additions, change)
        await additions.write(session)

    def keep_activation_change(self, additions: Additions, change: ActivationChanged) -> None:
        """Tell the keepers of an activation's change; the subscriptions of its application are known."""
        for keeper in self.keepers:
            keeper.activation_changed(additions, change)

    def keep_operation_change(self, additions: Additions, change: OperationChanged) -> None:
        """Tell the keepers of an operation's change; the subscriptions of its applications are known."""
        for keeper in self.keepers:
            keeper.operation_changed(additions, change)
