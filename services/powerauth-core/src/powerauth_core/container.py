"""What one process of the core is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from powerauth_core.activations.history import ActivationChanges
    from powerauth_core.activations.keys import ActivationKeyCache
    from powerauth_core.activations.writing import ActivationWriter
    from powerauth_core.applications.cache import ApplicationCache
    from powerauth_core.audit.chain.keys import ChainKeys
    from powerauth_core.audit.row_alarms import RowAlarms
    from powerauth_core.callbacks.dispatcher import CallbackDispatcher
    from powerauth_core.envelopes.spending import EnvelopeSpending
    from powerauth_core.fido2.authenticators import AuthenticatorModels
    from powerauth_core.fido2.writing import SignInWriter
    from powerauth_core.fido_metadata.memory import FidoMetadata
    from powerauth_core.integrations.callers import CallerCache
    from powerauth_core.jwt.keys import JwtKeys
    from powerauth_core.jwt.ports import SessionCheck
    from powerauth_core.jwt.proved_secrets import ProvedSecrets
    from powerauth_core.kernel.changes import Listeners
    from powerauth_core.kernel.egress import Egress
    from powerauth_core.kernel.hashing import PasswordHashes
    from powerauth_core.kernel.records import RecordCipher
    from powerauth_core.operations.creator import OperationCreator
    from powerauth_core.operations.records import OperationRecords
    from powerauth_core.passkey_policies.cache import PasskeyPolicies
    from powerauth_core.providers.discovery import DiscoveryCache
    from powerauth_core.settings import CoreSettings
    from powerauth_core.templates.cache import TemplateCache
    from powerauth_core.temporary_keys.memory import TemporaryKeys
    from powerauth_core.tokens.validator import TokenValidator
    from powerauth_core.verification.engine import Verifier
    from servicekit.audit_export.stream import AuditStream
    from servicekit.bus import Bus
    from servicekit.database import Database
    from servicekit.jobs import JobRunner
    from servicekit.outbox import OutboxRelay
    from servicekit.replicas import ReadDatabase
    from servicekit.row_macs import RowMacs


@dataclass(slots=True, kw_only=True)
class Core:
    """The parts of a running core. Made by `powerauth_core.runtime`; nothing replaces a part later.

    :ivar reading: the database for lists and audits, which may be a standby
    :ivar cipher: encryption of records at rest
    :ivar row_macs: MACs of rows that nobody else may write (D32)
    :ivar row_alarms: tells of those that somebody has
    :ivar chain_keys: keys of the audit's chains; None: rows are not chained
    :ivar application_cache: applications by key and id, master keys decoded
    :ivar passkey_policies: policies of passkeys by application
    :ivar template_cache: operation templates by name
    :ivar activation_keys: decoded keys of activations; never counters or state
    :ivar jwt_keys: keys that sign tokens, and verify them
    :ivar proved_secrets: secrets of clients that were found right
    :ivar session_checks: who is asked before tokens are issued for a sign-in again
    :ivar hashes: password hashes, bounded in number
    :ivar egress: outgoing HTTP under the address policy
    :ivar discovery: documents of identity providers
    :ivar fido_metadata: what vouches for models of authenticators
    :ivar callbacks: delivery of callbacks
    :ivar audit_stream: sends the audit log elsewhere, if the settings say where
    :ivar listeners: who hears of changes of activations and operations
    :ivar changes: saves changes of activations and tells the listeners
    :ivar authenticator_models: models of authenticators by AAGUID
    :ivar operation_records: operations as batches of checks read and write them
    :ivar operation_creator: stores new operations, several at once
    :ivar activation_writer: writes changes of activations, several in one statement
    :ivar sign_in_writer: writes what sign-ins with passkeys leave behind, several in one statement
    :ivar temporary_keys: temporary keys, stored and in memory
    :ivar envelope_spending: remembers envelopes, several in one statement
    :ivar verifier: checks of signatures, several in one transaction
    :ivar token_validator: checks of token headers, several in one transaction
    """

    settings: CoreSettings
    database: Database
    reading: ReadDatabase
    bus: Bus
    relay: OutboxRelay
    cipher: RecordCipher
    row_macs: RowMacs
    row_alarms: RowAlarms
    chain_keys: ChainKeys | None
    application_cache: ApplicationCache
    passkey_policies: PasskeyPolicies
    template_cache: TemplateCache
    activation_keys: ActivationKeyCache
    callers: CallerCache
    jwt_keys: JwtKeys
    proved_secrets: ProvedSecrets
    hashes: PasswordHashes
    egress: Egress
    discovery: DiscoveryCache
    fido_metadata: FidoMetadata
    callbacks: CallbackDispatcher
    audit_stream: AuditStream | None
    listeners: Listeners
    changes: ActivationChanges
    operation_records: OperationRecords
    authenticator_models: AuthenticatorModels
    # These are made of the parts above.
    operation_creator: OperationCreator = field(init=False)
    activation_writer: ActivationWriter = field(init=False)
    sign_in_writer: SignInWriter = field(init=False)
    temporary_keys: TemporaryKeys = field(init=False)
    envelope_spending: EnvelopeSpending = field(init=False)
    verifier: Verifier = field(init=False)
    token_validator: TokenValidator = field(init=False)
    session_checks: Sequence[SessionCheck] = field(init=False)
    jobs: JobRunner = field(init=False)
