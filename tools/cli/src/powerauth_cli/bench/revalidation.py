"""The daily look at stored attestations: how fast it goes over many passkeys, and what memory that takes."""

from __future__ import annotations

import json
import time
import uuid
from base64 import b64encode
from datetime import UTC, date, datetime

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import Certificate
from rich.console import Console
from sqlalchemy import Table, text

from powerauth_cli.bench.target import resident_megabytes
from powerauth_cli.localservers import PostgresServer
from powerauth_contracts.enums import ActivationProtocol, ActivationStatus
from powerauth_core.activations import initialisation
from powerauth_core.activations.initialisation import Properties
from powerauth_core.activations.models import Activation
from powerauth_core.applications import repository as applications
from powerauth_core.applications.service import create_application
from powerauth_core.container import Core
from powerauth_core.fido_metadata.models import MdsBlob
from powerauth_core.passkey_policies import service as policies
from powerauth_core.passkey_policies.rules import StoredPolicy
from powerauth_core.passkey_records.extras import Extras
from powerauth_core.passkey_records.models import Fido2Attestation
from powerauth_core.passkey_revalidation import revalidation
from powerauth_core.passkeys import policy
from powerauth_core.passkeys.attestation.statements import Kind
from powerauth_core.passkeys.attestation.trust import Trust
from powerauth_core.passkeys.metadata import entries
from powerauth_core.passkeys.metadata.blob import Known, Verified
from powerauth_core.runtime import running_core
from powerauth_core.settings import CoreSettings
from powerauth_sdk.authenticator import Maker
from powerauth_sdk.authenticator.device import TEST_MODEL
from servicekit import clock

_APPLICATION = "bench"
_NEXT_UPDATE = date(2100, 1, 1)
_REGISTERED = datetime(2026, 1, 1, tzinfo=UTC)


async def measure_revalidation(console: Console, passkeys: int, *, as_json: bool) -> None:
    """Go over so many passkeys of one model, all of them good, and print how fast it was."""
    with PostgresServer() as postgres:
        settings = CoreSettings(
            environment="test",
            database_url=postgres.url,
            migrate_on_start=True,
            jobs_enabled=False,
            request_log=False,
            mds_source="UPLOAD",
        )
        async with running_core(settings) as core:
            await _fill(core, passkeys)
            before, began, cpu = resident_megabytes(), time.perf_counter(), time.process_time()
            row = await revalidation.run(core)
            seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
            grown = resident_megabytes() - before
    figures = {
        "passkeys": row.checked,
        "outcome": row.status,
        "seconds": round(seconds, 1),
        "per_second": round(row.checked / seconds),
        "cpu_ms_each": round(1000 * cpu / row.checked, 2),
        "memory_growth_mb": round(grown),
    }
    if as_json:
        print(json.dumps(figures))
    else:
        for name, value in figures.items():
            console.print(f"{name}: {value}")


async def _fill(core: Core, passkeys: int) -> None:
    maker = Maker()
    await create_application(core, _APPLICATION)
    await _believe(core, maker)
    wanted = policy.read({"rpId": "bank.example", "mdsMode": "enforce"}, root_names=policy.DEFAULT_ROOTS)
    async with core.database.transaction() as session:
        application = await applications.lock_by_name(session, _APPLICATION)
        assert application is not None
        await policies.store(
            core.cipher, core.application_cache, session, application, StoredPolicy(policy=wanted)
        )
    first = await _register(core, maker)
    async with core.database.transaction() as session:
        connection = await session.connection()
        for table in (Activation.__table__, Fido2Attestation.__table__):
            assert isinstance(table, Table)
            await connection.execute(text(_copies(table)), {"first": first, "count": passkeys - 1})
    async with core.database.transaction() as session:
        await session.execute(text("ANALYZE pa_activation, pa_fido2_attestation"))


async def _believe(core: Core, maker: Maker) -> None:
    """Put metadata in force that knows the maker; who signed it is not what is measured."""
    entry = {
        "aaguid": str(TEST_MODEL),
        "metadataStatement": {
            "description": "Bench",
            "attestationTypes": ["basic_full"],
            "attestationRootCertificates": [_encoded(maker.root)],
        },
        "statusReports": [{"status": "FIDO_CERTIFIED_L1", "effectiveDate": "2024-01-01"}],
    }
    row = MdsBlob(
        id=str(uuid.uuid4()),
        no=1,
        next_update=_NEXT_UPDATE,
        sha256="",
        blob=b"",
        source="UPLOAD",
        loaded_at=clock.now(),
        loaded_by="bench",
        status="ACTIVE",
    )
    core.fido_metadata.take(row, Verified(Known(1, b""), entries.read(1, _NEXT_UPDATE, [entry])))
    async with core.database.transaction() as session:
        session.add(row)


async def _register(core: Core, maker: Maker) -> str:
    known = await core.application_cache.identity(core.database, _APPLICATION)
    assert known is not None
    leaf = maker.leaf(ec.generate_private_key(ec.SECP256R1()).public_key())
    async with core.database.transaction() as session:
        wanted = Properties(user_id="bench", protocol=ActivationProtocol.FIDO2)
        row = await initialisation.initialise(core, session, known, wanted)
        row.activation_status, row.external_id = ActivationStatus.ACTIVE, "0" * 24
        row.extras = Extras(
            credential_id="0" * 24,
            aaguid=TEST_MODEL,
            be=False,
            fmt="packed",
            att_type=Kind.BASIC,
            att_trust=Trust.VERIFIED,
            att_vouched=True,
            registered_at=_REGISTERED,
        ).encoded()
        session.add(
            Fido2Attestation(
                activation_id=row.activation_id,
                fmt="packed",
                statement=b"",
                x5c=[_encoded(leaf), _encoded(maker.intermediate)],
                mds_no=1,
                evaluated_at=clock.now(),
            )
        )
        return row.activation_id


def _copies(table: Table) -> str:
    """A statement that copies the first row under ids of their own."""
    own = {
        "activation_id": "'bench-' || lpad(n::text, 30, '0')",
        "external_id": "lpad(n::text, 24, '0')",
        "user_id": "'bench-' || n",
    }
    columns = [column.name for column in table.columns]
    values = ", ".join(own.get(name, name) for name in columns)
    return (
        f"INSERT INTO {table.name} ({', '.join(columns)})"  # noqa: S608 - names of our own
        f" SELECT {values} FROM {table.name}, generate_series(1, CAST(:count AS bigint)) AS n"
        " WHERE activation_id = :first"
    )


def _encoded(certificate: Certificate) -> str:
    return b64encode(certificate.public_bytes(Encoding.DER)).decode()
