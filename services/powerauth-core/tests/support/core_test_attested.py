"""Passkeys with stored attestations, as the daily look finds them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from core_test_api import TestApplication
from core_test_metadata import Publisher, entry, text_of
from core_test_passkeys import RP_ID
from cryptography.hazmat.primitives.asymmetric import ec

from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations import initialisation
from powerauth_core.activations.initialisation import Properties
from powerauth_core.applications import repository as applications
from powerauth_core.container import Core
from powerauth_core.fido_metadata import service
from powerauth_core.fido_metadata.service import Offer, Taken
from powerauth_core.passkey_policies import service as policies
from powerauth_core.passkey_policies.rules import StoredPolicy
from powerauth_core.passkey_records import reads
from powerauth_core.passkey_records.extras import Extras
from powerauth_core.passkey_records.models import Fido2Attestation
from powerauth_core.passkeys import policy
from powerauth_core.passkeys.attestation.statements import Kind
from powerauth_core.passkeys.attestation.trust import Trust
from powerauth_protocol.common.encoding import b64encode
from powerauth_sdk.authenticator import Maker
from powerauth_sdk.authenticator.device import TEST_MODEL
from servicekit import clock

LATER = "2050-01-01"
REGISTERED = datetime(2026, 11, 1, tzinfo=UTC)


@dataclass
class Bank:
    """An application whose users have attested passkeys, and the publisher that its core believes."""

    core: Core
    application: TestApplication
    publisher: Publisher
    maker: Maker = field(default_factory=Maker)
    number: int = 0

    @property
    def model(self) -> dict[str, Any]:
        """The maker's model, in good standing."""
        return entry(TEST_MODEL, self.maker.root)

    async def publish(self, *models: dict[str, Any], next_update: str = LATER) -> Taken:
        """Put a new BLOB in force."""
        self.number += 1
        signed = self.publisher.sign(list(models), self.number, next_update)
        return await service.load(self.core, Offer(signed, "UPLOAD", "root"))

    async def set_policy(self, **members: Any) -> None:
        """Let a policy hold."""
        names = self.core.fido_metadata.root_names
        wanted = policy.read({"rpId": RP_ID, **members}, root_names=names)
        async with self.core.database.transaction() as session:
            row = await applications.lock_by_name(session, self.application.application_id)
            assert row is not None
            stored = StoredPolicy(policy=wanted)
            await policies.store(self.core.cipher, self.core.application_cache, session, row, stored)

    async def passkeys(self, count: int = 1, model: uuid.UUID = TEST_MODEL, **members: Any) -> list[str]:
        """Passkeys of the maker that were VERIFIED when they were registered; ids of their activations."""
        known = await self.core.application_cache.identity(
            self.core.database, self.application.application_id
        )
        assert known is not None
        leaf = self.maker.leaf(ec.generate_private_key(ec.SECP256R1()).public_key())
        chain = [text_of(leaf), text_of(self.maker.intermediate)]
        made = []
        async with self.core.database.transaction() as session:
            for number in range(count):
                wanted = Properties(user_id=f"user-{number}", protocol=ActivationProtocol.FIDO2)
                row = await initialisation.initialise(self.core, session, known, wanted)
                row.external_id = b64encode(uuid.uuid4().bytes)
                row.activation_status = ActivationStatus.ACTIVE
                row.extras = _extras(row.external_id, model, **members).encoded()
                made.append(row.activation_id)
                session.add(_attestation(row.activation_id, chain))
        return made

    async def trusts(self) -> dict[str, tuple[Trust, str | None]]:
        """What is stored of all, by their activations."""
        batches = reads.batches(self.core.database.fetch, self.core.row_macs, self.application.application_id)
        return {
            one.activation_id: (one.extras.att_trust, one.extras.att_reason)
            async for batch in batches
            for one in batch
        }


def _extras(credential_id: str, model: uuid.UUID, **members: Any) -> Extras:
    found = {"att_trust": Trust.VERIFIED, "att_vouched": True, "be": False} | members
    return Extras(
        credential_id=credential_id,
        aaguid=model,
        fmt="packed",
        att_type=Kind.BASIC,
        registered_at=REGISTERED,
        **found,
    )


def _attestation(activation_id: str, chain: list[str]) -> Fido2Attestation:
    return Fido2Attestation(
        activation_id=activation_id,
        fmt="packed",
        statement=b"",
        x5c=chain,
        mds_no=1,
        evaluated_at=clock.now(),
    )
