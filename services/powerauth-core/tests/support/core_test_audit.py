"""The signature audit of a core, and what finds the changes that tests make behind its back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from core_test_parts import chain_keys_of
from core_test_rows import execute
from core_test_stores import job_of
from sqlalchemy import text

from powerauth_core.audit.chain.rules import Finding
from powerauth_core.container import Core
from powerauth_core.tamper_check.service import Summary, Verification

BODY = b'{"amount":1}'


@dataclass(frozen=True)
class Outcome:
    """What a verification found."""

    findings: list[Finding]
    summary: Summary

    @property
    def kinds(self) -> list[str]:
        return [finding.kind.value for finding in self.findings]

    @property
    def rows(self) -> set[int | None]:
        return {finding.row_id for finding in self.findings}


class Audit:
    """The signature audit of a core, as somebody with access to its database has it."""

    def __init__(self, core: Core) -> None:
        self.core = core

    async def verify(self, **options: Any) -> Outcome:
        keys = options.pop("keys", None) or chain_keys_of(self.core)
        run = Verification(self.core.database, keys, **options)
        findings = [finding async for finding in run.findings()]
        assert run.summary.findings == len(findings)
        return Outcome(findings, run.summary)

    async def signed_by(self, phone: Any, core: Core | None = None) -> bool:
        """Let a phone's signature be checked, and leave a row."""
        return (await (core or self.core).verifier.run(job_of(phone.sign(BODY)))).valid

    async def execute(self, statement: str, **values: Any) -> None:
        await execute(self.core, text(statement), values)

    async def rows(self, statement: str, **values: Any) -> list[Any]:
        async with self.core.database.read() as session:
            return list((await session.execute(text(statement), values)).all())

    @asynccontextmanager
    async def restored(self) -> AsyncGenerator[None]:
        """Undo afterwards what the block does to the audit and its chains."""
        tables = ("pa_signature_audit", "audit_chain", "audit_chain_registry")
        for table in tables:
            await self.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")
        try:
            yield
        finally:
            for table in tables:
                await self.execute(f"DELETE FROM {table}")
                await self.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
                await self.execute(f"DROP TABLE kept_{table}")

    async def ids(self) -> list[int]:
        """Ids of the chained rows, in the order of their chains."""
        found = await self.rows(
            "SELECT id FROM pa_signature_audit WHERE chain_id IS NOT NULL ORDER BY chain_id, chain_position"
        )
        return [row[0] for row in found]


@pytest.fixture
def audit(core: Core) -> Audit:
    return Audit(core)
