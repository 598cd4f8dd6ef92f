"""Wire models of the protocol upgrade (spec/core-api.md §14)."""

from __future__ import annotations

from powerauth_contracts.calls import Call
from powerauth_contracts.envelopes import EnvelopeFields, SealedFields
from powerauth_contracts.fields import RequiredText
from powerauth_contracts.wire import RequestModel, WireModel


class StartUpgradeRequest(EnvelopeFields):
    """Request of ``upgrade/start``."""

    activation_id: RequiredText
    application_key: RequiredText
    protocol_version: RequiredText
    application_ids: list[str] | None = None


class StartUpgradeResponse(SealedFields):
    """Encrypted ``{"ctrData": …}``."""


class CommitUpgradeRequest(RequestModel):
    """Request of ``upgrade/commit``."""

    activation_id: RequiredText
    application_key: RequiredText
    application_ids: list[str] | None = None


class CommitUpgradeResponse(WireModel):
    """Confirms that the activation is of version 3 now."""

    committed: bool


START = Call(
    "/rest/v3/upgrade/start",
    StartUpgradeRequest,
    StartUpgradeResponse,
    "Begin the upgrade of an activation; none qualifies.",
)
COMMIT = Call(
    "/rest/v3/upgrade/commit",
    CommitUpgradeRequest,
    CommitUpgradeResponse,
    "End the upgrade of an activation; none qualifies.",
)
