"""Whoever can write to the database cannot change the signature audit unnoticed (docs/audit.md)."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from core_test_api import StartCore
from core_test_audit import Audit
from core_test_parts import chain_keys_of
from core_test_phones import MakePhone

from powerauth_core.audit.chain.keys import ChainKeys
from powerauth_core.audit.signatures import AUDIT_COLUMNS
from powerauth_core.tamper_check import checkpoints, service
from servicekit import clock

if TYPE_CHECKING:
    from audit.chain.conftest import Chained


pytestmark = pytest.mark.dialects("sqlite", "postgresql")

OTHER_VALUES = {
    "int": "99",
    "bool": "false",
    "timestamp": "'2026-01-02 03:04:05.678901'",
    "varchar": "'changed'",
    "text": "'changed'",
}
COPIED = ", ".join(AUDIT_COLUMNS)


async def test_a_change_of_any_column_is_found_and_named(
    audit: Audit, chained: Chained, make_phone: MakePhone
) -> None:
    ids = await chained(4)
    other = (await make_phone("bob")).activation_id
    for column, kind in AUDIT_COLUMNS.items():
        value = f"'{other}'" if column == "activation_id" else OTHER_VALUES[kind]
        async with audit.restored():
            await audit.execute(f"UPDATE pa_signature_audit SET {column} = {value} WHERE id = :id", id=ids[1])
            found = await audit.verify()
        assert (found.kinds, found.rows) == (["changed"], {ids[1]}), column
        assert (found.findings[0].position, found.summary.rows) == (2, 3), column
    assert (await audit.verify()).findings == []


async def test_a_changed_mac_is_found_and_named(audit: Audit, chained: Chained) -> None:
    ids = await chained(4)
    await audit.execute(
        "UPDATE pa_signature_audit SET chain_mac ="
        " (SELECT chain_mac FROM pa_signature_audit WHERE id = :other) WHERE id = :id",
        id=ids[1],
        other=ids[2],
    )
    found = await audit.verify()
    assert (found.kinds, found.rows, found.summary.rows) == (["changed"], {ids[1]}, 3)


async def test_a_removed_row_is_a_gap(audit: Audit, chained: Chained) -> None:
    ids = await chained(5)
    for index in (0, 1, 3):
        async with audit.restored():
            await audit.execute("DELETE FROM pa_signature_audit WHERE id = :id", id=ids[index])
            [finding] = (await audit.verify()).findings
        assert (finding.kind.value, finding.position, finding.until) == ("removed", index + 1, index + 1)
        assert finding.row_id == ids[index + 1]


async def test_a_row_changed_behind_a_gap_is_not_taken_for_genuine(audit: Audit, chained: Chained) -> None:
    ids = await chained(3)
    await audit.execute("DELETE FROM pa_signature_audit WHERE id = :id", id=ids[0])
    await audit.execute("UPDATE pa_signature_audit SET note = 'changed' WHERE id = :id", id=ids[2])
    found = await audit.verify()
    assert found.kinds == ["removed", "changed"]
    assert found.rows == {ids[1], ids[2]}


async def test_a_removed_end_is_found(audit: Audit, chained: Chained) -> None:
    ids = await chained(3)
    for row_id, first in ((ids[2], 3), (ids[1], 2), (ids[0], 1)):
        await audit.execute("DELETE FROM pa_signature_audit WHERE id = :id", id=row_id)
        [finding] = (await audit.verify()).findings
        assert (finding.kind.value, finding.position, finding.until) == ("removed", first, 3)


async def test_an_inserted_row_is_found_wherever_it_claims_to_stand(audit: Audit, chained: Chained) -> None:
    ids = await chained(3)
    for position in (2, 4, 9):
        await audit.execute(
            f"INSERT INTO pa_signature_audit (id, {COPIED}, chain_id, chain_position, chain_mac)"
            f" SELECT 1000000, {COPIED}, chain_id, :position, chain_mac FROM pa_signature_audit"
            " WHERE id = :id",
            id=ids[1],
            position=position,
        )
        found = await audit.verify()
        assert (found.kinds, found.rows, found.summary.rows) == (["inserted"], {1_000_000}, 3), position
        await audit.execute("DELETE FROM pa_signature_audit WHERE id = 1000000")


async def test_two_rows_that_changed_places_are_found(audit: Audit, chained: Chained) -> None:
    ids = await chained(5)
    swap = "UPDATE pa_signature_audit SET chain_position = 6 - chain_position WHERE id IN (:one, :two)"
    await audit.execute(swap, one=ids[1], two=ids[3])
    found = await audit.verify()
    assert {ids[1], ids[3]} <= found.rows
    assert set(found.kinds) == {"changed"}


async def test_a_row_moved_to_another_chain_is_missed_here_and_found_there(
    audit: Audit, chained: Chained, start_core: StartCore
) -> None:
    await chained(3)
    await chained(3, await start_core())
    [one, two] = [row[0] for row in await audit.rows("SELECT chain_id FROM audit_chain ORDER BY number")]
    [[row_id]] = await audit.rows(
        "SELECT id FROM pa_signature_audit WHERE chain_id = :one AND chain_position = 2", one=one
    )
    await audit.execute("UPDATE pa_signature_audit SET chain_id = :two WHERE id = :id", two=two, id=row_id)
    found = await audit.verify()
    assert {(finding.kind.value, finding.chain_id) for finding in found.findings} == {
        ("removed", one),
        ("inserted", two),
    }
    assert row_id in found.rows


async def test_a_changed_head_is_found(audit: Audit, chained: Chained) -> None:
    await chained(3)
    for change in (
        "position = position - 1",
        "timestamp_last = '2026-01-02 03:04:05.678901'",
        "mac = (SELECT chain_mac FROM pa_signature_audit WHERE chain_position = 1)",
        "number = 7",
        "timestamp_closed = timestamp_last",
        "anchor_position = 2",
    ):
        async with audit.restored():
            await audit.execute(f"UPDATE audit_chain SET {change}")
            assert "head changed" in (await audit.verify()).kinds, change


async def test_a_head_set_back_is_found_by_the_rows_behind_it(audit: Audit, chained: Chained) -> None:
    await chained(2)
    await audit.execute("CREATE TABLE kept AS SELECT * FROM audit_chain")
    ids = await chained(1)
    await audit.execute(
        "UPDATE audit_chain SET position = (SELECT position FROM kept), mac = (SELECT mac FROM kept),"
        " seal = (SELECT seal FROM kept), timestamp_last = (SELECT timestamp_last FROM kept)"
    )
    found = await audit.verify()
    await audit.execute("DROP TABLE kept")
    assert (found.kinds, found.rows) == (["head changed"], {ids[-1]})


async def test_a_head_and_rows_set_back_together_are_found_by_a_checkpoint_only(
    audit: Audit, chained: Chained
) -> None:
    await chained(2)
    await audit.execute("CREATE TABLE kept AS SELECT * FROM audit_chain")
    ids = await chained(2)
    keys = chain_keys_of(audit.core)
    text, chains = await service.checkpoint(audit.core.database, keys.current)
    assert chains == 1
    kept = checkpoints.load(keys, text)
    assert (await audit.verify(checkpoint=kept)).findings == []
    await audit.execute(
        "UPDATE audit_chain SET position = (SELECT position FROM kept), mac = (SELECT mac FROM kept),"
        " seal = (SELECT seal FROM kept), timestamp_last = (SELECT timestamp_last FROM kept)"
    )
    await audit.execute("DROP TABLE kept")
    for row_id in ids[2:]:
        await audit.execute("DELETE FROM pa_signature_audit WHERE id = :id", id=row_id)
    assert (await audit.verify()).findings == []
    assert (await audit.verify(checkpoint=kept)).kinds == ["checkpoint"]


async def test_a_whole_chain_cannot_vanish(audit: Audit, chained: Chained, start_core: StartCore) -> None:
    await chained(1)
    await chained(1, await start_core())
    [[one], _two] = await audit.rows("SELECT chain_id FROM audit_chain ORDER BY number")
    await audit.execute("DELETE FROM pa_signature_audit WHERE chain_id = :one", one=one)
    await audit.execute("DELETE FROM audit_chain WHERE chain_id = :one", one=one)
    [finding] = (await audit.verify()).findings
    assert finding.kind.value == "chain removed"
    assert "number 1 " in finding.text


async def test_the_chains_themselves_cannot_be_taken_away(audit: Audit, chained: Chained) -> None:
    await chained(2)
    unchained = "chain_id = NULL, chain_position = NULL, chain_mac = NULL"
    for statement, kind in (
        ("UPDATE audit_chain_registry SET chains = 0", "head changed"),
        ("UPDATE audit_chain_registry SET unchained_id = 1000000000", "head changed"),
        ("DELETE FROM audit_chain_registry", "chain removed"),
        ("DELETE FROM audit_chain", "chain removed"),
        ("UPDATE audit_chain SET key_id = 'other'", "key"),
        ("UPDATE pa_signature_audit SET chain_id = 'invented'", "inserted"),
        ("UPDATE pa_signature_audit SET chain_position = NULL", "changed"),
        ("UPDATE pa_signature_audit SET chain_mac = NULL", "changed"),
        (f"UPDATE pa_signature_audit SET {unchained}", "not chained"),
    ):
        async with audit.restored():
            await audit.execute(statement)
            assert kind in (await audit.verify()).kinds, statement


async def test_everything_taken_away_is_a_finding_too(audit: Audit, chained: Chained) -> None:
    await chained(2)
    for table in ("audit_chain", "audit_chain_registry"):
        await audit.execute(f"DELETE FROM {table}")
    await audit.execute(
        "UPDATE pa_signature_audit SET chain_id = NULL, chain_position = NULL, chain_mac = NULL"
    )
    found = await audit.verify()
    assert (found.kinds, found.summary.unchained) == (["chain removed"], 2)


async def test_a_row_without_a_chain_is_known_only_from_before_the_first_chain(
    audit: Audit, chained: Chained
) -> None:
    [first] = await chained(1)
    [[boundary]] = await audit.rows("SELECT unchained_id FROM audit_chain_registry")
    for row_id, moment, found in (
        (boundary, "2020-01-01 00:00:00", []),
        (boundary, "2099-01-01 00:00:00", ["not chained"]),
        (first + 1000, "2020-01-01 00:00:00", ["not chained"]),
    ):
        await audit.execute(
            f"INSERT INTO pa_signature_audit (id, {COPIED}) SELECT :new, {COPIED} FROM pa_signature_audit"
            " WHERE id = :id",
            new=row_id,
            id=first,
        )
        await audit.execute(
            f"UPDATE pa_signature_audit SET timestamp_created = '{moment}' WHERE id = :id", id=row_id
        )
        verified = await audit.verify()
        assert (verified.kinds, verified.summary.unchained) == (found, 1)
        await audit.execute("DELETE FROM pa_signature_audit WHERE id = :id", id=row_id)


async def test_another_key_is_told(audit: Audit, chained: Chained) -> None:
    await chained(2)
    found = await audit.verify(keys=ChainKeys([secrets.token_bytes(32)]))
    assert found.kinds == ["key", "key"]
    assert found.summary.rows == 0


async def test_an_earlier_key_still_checks_its_chains(
    audit: Audit, chained: Chained, start_core: StartCore
) -> None:
    await chained(2)
    changed = await start_core(audit_chain_key="bmV3IGtleSBvZiB0aGUgY2hhaW4=")
    await chained(2, changed)
    found = await audit.verify(keys=chain_keys_of(changed))
    assert (found.findings, found.summary.chains, found.summary.rows) == ([], 2, 4)


EMPTY_ROWS = ("DELETE FROM pa_signature_audit",)
EMPTY_CHAINS = tuple(
    f"DELETE FROM {table}" for table in ("audit_chain", "audit_chain_registry", "audit_unchained")
)
EMPTY_LOG = ("DELETE FROM audit_log WHERE audit_type = 'signature'",)
FORGET_USE = ("UPDATE pa_activation SET counter = 0",)


@pytest.mark.parametrize(
    ("emptied", "kind"),
    [
        (EMPTY_ROWS, "removed"),
        (EMPTY_CHAINS, "chain removed"),
        (EMPTY_ROWS + EMPTY_CHAINS, "chain removed"),
        (EMPTY_ROWS + EMPTY_CHAINS + EMPTY_LOG, "chain removed"),
        (EMPTY_ROWS + EMPTY_CHAINS + FORGET_USE, "chain removed"),
        (("DELETE FROM audit_chain_registry",), "chain removed"),
    ],
)
async def test_an_emptied_audit_is_found(
    audit: Audit, chained: Chained, emptied: tuple[str, ...], kind: str
) -> None:
    await chained(3)
    for statement in emptied:
        await audit.execute(statement)
    assert kind in (await audit.verify()).kinds


@pytest.mark.parametrize(
    ("emptied", "told_by"),
    [(EMPTY_LOG, "1 activations were used"), (FORGET_USE, "the general log tells of signatures")],
)
async def test_an_emptied_audit_is_found_when_new_rows_follow(
    audit: Audit,
    chained: Chained,
    start_core: StartCore,
    make_phone: MakePhone,
    monkeypatch: pytest.MonkeyPatch,
    emptied: tuple[str],
    told_by: str,
) -> None:
    yesterday = clock.now() - timedelta(days=1)
    with monkeypatch.context() as patched:
        patched.setattr(clock, "now", lambda: yesterday)
        await chained(2)
    for statement in EMPTY_ROWS + EMPTY_CHAINS + emptied:
        await audit.execute(statement)
    assert await audit.signed_by(await make_phone("bob"), await start_core())
    found = await audit.verify()
    assert (found.kinds, found.summary.rows) == (["removed"], 1)
    assert told_by in found.findings[0].text
    # An operator who knows of it does not hear of it again.
    await service.accept_unchained(audit.core.database, chain_keys_of(audit.core).current)
    assert (await audit.verify()).findings == []
    await audit.execute("UPDATE audit_chain_registry SET dropped_before = '2030-01-01'")
    assert "head changed" in (await audit.verify()).kinds
