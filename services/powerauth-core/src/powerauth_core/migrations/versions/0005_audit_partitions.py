"""Audits and history by month on PostgreSQL, and the chains of the signature audit (docs/audit.md).

A table that holds rows becomes the first partition, up to the end of the present month: nothing is copied.
SQLite keeps plain tables with the same columns. An earlier release goes on working on the new schema.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import cast

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005_audit_partitions"
down_revision = "0004_activation_transfer"
branch_labels = None
depends_on = None

TS = sa.DateTime().with_variant(postgresql.TIMESTAMP(precision=6), "postgresql")
KEY = "timestamp_created"
MONTHS_AHEAD = 3
CHAINED = sa.text("chain_id IS NOT NULL")


@dataclass(frozen=True)
class Partitioned:
    """A table with its indexes by name; the primary key gets the time as its second column."""

    name: str
    indexes: dict[str, str]
    primary_key: str | None = None
    foreign_key: str | None = None
    conditions: dict[str, str] = field(default_factory=dict)


TABLES = (
    Partitioned(
        "pa_signature_audit",
        {
            "pa_signature_audit_activation": "activation_id",
            "pa_signature_audit_created": KEY,
            "pa_signature_audit_chain": "chain_id, chain_position",
        },
        "id",
        "audit_activation_fk",
        {"pa_signature_audit_chain": "chain_id IS NOT NULL"},
    ),
    Partitioned(
        "pa_activation_history",
        {"pa_activation_history_act": "activation_id", "pa_activation_history_created": KEY},
        "id",
        "history_activation_fk",
    ),
    Partitioned(
        "audit_log",
        {
            "audit_log_timestamp": KEY,
            "audit_log_application": "application_name",
            "audit_log_level": "audit_level",
            "audit_log_type": "audit_type",
            "audit_log_subject_id_idx": f"subject_id, {KEY}",
        },
        "audit_log_id",
    ),
    Partitioned(
        "audit_param",
        {
            "audit_param_log": "audit_log_id",
            "audit_param_timestamp": KEY,
            "audit_param_key": "param_key",
            "audit_param_value": "param_value",
        },
    ),
)


def upgrade() -> None:
    """Add the chains, then split the tables."""
    _chain_tables()
    for column in (
        sa.Column("chain_id", sa.String(16)),
        sa.Column("chain_position", sa.BigInteger()),
        sa.Column("chain_mac", sa.LargeBinary()),
    ):
        op.add_column("pa_signature_audit", column)
    for table in ("audit_log", "audit_param"):
        # The original always writes the time; a row that somebody else left without one counts as old.
        op.execute(
            f"UPDATE {table} SET {KEY} = COALESCE((SELECT MIN({KEY}) FROM {table}), CURRENT_TIMESTAMP)"  # noqa: S608
            f" WHERE {KEY} IS NULL"
        )
    if op.get_bind().dialect.name == "postgresql":
        for partitioned in TABLES:
            _split(partitioned)
        return
    columns = ["chain_id", "chain_position"]
    op.create_index("pa_signature_audit_chain", "pa_signature_audit", columns, sqlite_where=CHAINED)
    for name in ("audit_log", "audit_param"):
        with op.batch_alter_table(name) as changed:
            changed.alter_column(
                KEY, existing_type=sa.DateTime(), nullable=False, existing_server_default=sa.func.now()
            )


def _chain_tables() -> None:
    op.create_table(
        "audit_chain",
        sa.Column("chain_id", sa.String(16), primary_key=True),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("timestamp_opened", TS, nullable=False),
        sa.Column("timestamp_last", TS, nullable=False),
        sa.Column("timestamp_closed", TS),
        sa.Column("position", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("mac", sa.LargeBinary(), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
        sa.Column("anchor_position", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
        sa.Column("anchor_mac", sa.LargeBinary()),
        sa.Column("anchor_seal", sa.LargeBinary()),
        # Room on the page for the next version of a head, which is written with every batch of checks.
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("audit_chain_number_uk", "audit_chain", ["number"], unique=True)
    op.create_table(
        "audit_chain_registry",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("chains", sa.BigInteger(), nullable=False),
        sa.Column("unchained_id", sa.BigInteger(), nullable=False),
        sa.Column("unchained_time", TS, nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
    )
    op.create_table(
        "audit_unchained",
        sa.Column("first_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("last_id", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("rows", sa.BigInteger(), nullable=False),
        sa.Column("timestamp_accepted", TS, nullable=False),
        sa.Column("key_id", sa.String(16), nullable=False),
        sa.Column("seal", sa.LargeBinary(), nullable=False),
    )


def _split(table: Partitioned) -> None:
    """Put a partitioned table in the place of a plain one."""
    name, old = table.name, f"{table.name}_old"
    op.execute(f"LOCK TABLE {name} IN ACCESS EXCLUSIVE MODE")
    _refuse_dependents(name)
    rights, owner = _rights(name), _owner(name)
    filled = _scalar(f"SELECT EXISTS (SELECT 1 FROM {name})")  # noqa: S608 our name
    op.execute(f"ALTER TABLE {name} RENAME TO {old}")
    for index in table.indexes:
        op.execute(f"ALTER INDEX IF EXISTS {index} RENAME TO {index}_old")
    _drop_primary_key(old)
    op.execute(
        f"CREATE TABLE {name} (LIKE {old} INCLUDING DEFAULTS INCLUDING STORAGE INCLUDING COMMENTS)"
        f" PARTITION BY RANGE ({KEY})"
    )
    op.execute(f"ALTER TABLE {name} ALTER COLUMN {KEY} SET NOT NULL")
    if table.primary_key is not None:
        op.execute(f"ALTER TABLE {name} ADD CONSTRAINT {name}_pkey PRIMARY KEY ({table.primary_key}, {KEY})")
    for index, columns in table.indexes.items():
        condition = f" WHERE {table.conditions[index]}" if index in table.conditions else ""
        op.execute(f"CREATE INDEX {index} ON {name} ({columns}){condition}")
    if table.foreign_key is not None:
        op.execute(
            f"ALTER TABLE {name} ADD CONSTRAINT {table.foreign_key}"
            " FOREIGN KEY (activation_id) REFERENCES pa_activation (activation_id)"
        )
    op.execute(f"CREATE TABLE {name}_default PARTITION OF {name} DEFAULT")
    made = [name, f"{name}_default"]
    for number in range(1 if filled else 0, MONTHS_AHEAD + 1):
        month = _month(number)
        made.append(f"{name}_{month:%Y_%m}")
        op.execute(
            f"CREATE TABLE {made[-1]} PARTITION OF {name}"
            f" FOR VALUES FROM ('{month:%Y-%m-%d}') TO ('{_month(number + 1):%Y-%m-%d}')"
        )
    if filled:
        _attach(table, old, _month(1))
    else:
        op.execute(f"DROP TABLE {old}")
    for statement in rights + ([f"ALTER TABLE {each} OWNER TO {owner}" for each in made] if owner else []):
        op.execute(statement)


def _attach(table: Partitioned, old: str, bound: datetime) -> None:
    """Make the old table the partition of everything before ``bound``, with one look at its rows."""
    name, before = table.name, f"'{bound:%Y-%m-%d}'"
    # Clocks that were ahead: such rows would keep the first partition from ever ending.
    op.execute(
        f"WITH moved AS (DELETE FROM {old} WHERE {KEY} >= {before} RETURNING *)"  # noqa: S608
        f" INSERT INTO {name} SELECT * FROM moved"
    )
    # Both what follows and the attachment take this as proof and need not look again.
    op.execute(f"ALTER TABLE {old} ADD CONSTRAINT {old}_bound CHECK ({KEY} IS NOT NULL AND {KEY} < {before})")
    op.execute(f"ALTER TABLE {old} ALTER COLUMN {KEY} SET NOT NULL")
    if table.primary_key is not None:
        op.execute(f"ALTER TABLE {old} ADD CONSTRAINT {old}_pkey PRIMARY KEY ({table.primary_key}, {KEY})")
    op.execute(f"ALTER TABLE {name} ATTACH PARTITION {old} FOR VALUES FROM (MINVALUE) TO ({before})")
    op.execute(f"ALTER TABLE {old} DROP CONSTRAINT {old}_bound")


def _refuse_dependents(table: str) -> None:
    """What refers to a table would go on referring to its first partition alone."""
    found = _scalar(
        "SELECT string_agg(DISTINCT what, ', ') FROM ("  # noqa: S608 our names
        " SELECT 'foreign key ' || conname AS what FROM pg_constraint"
        f" WHERE contype = 'f' AND confrelid = '{table}'::regclass"
        " UNION ALL SELECT 'view ' || r.ev_class::regclass FROM pg_depend d JOIN pg_rewrite r"
        " ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid"
        f" WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = '{table}'::regclass"
        f" UNION ALL SELECT 'trigger ' || tgname FROM pg_trigger"
        f" WHERE tgrelid = '{table}'::regclass AND NOT tgisinternal) AS dependents"
    )
    if found:
        raise RuntimeError(f"{table} is going to be partitioned: remove first, and make again after: {found}")


def _drop_primary_key(table: str) -> None:
    constraint = _scalar(
        f"SELECT quote_ident(conname) FROM pg_constraint WHERE contype = 'p' AND conrelid = '{table}'::regclass"  # noqa: S608, E501
    )
    if constraint:
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")


def _rights(table: str) -> list[str]:
    """Statements that give the rights on a table once more; those of partitions are never asked for."""
    grantee = "CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(grantee)) END"
    rows = op.get_bind().execute(
        sa.text(
            f"SELECT 'GRANT ' || privilege_type || ' ON {table} TO ' || {grantee}"  # noqa: S608 our names
            " || CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END"
            f" FROM pg_class, aclexplode(relacl) WHERE oid = '{table}'::regclass AND grantee <> relowner"
        )
    )
    return list(rows.scalars())


def _owner(table: str) -> str | None:
    """The owner, quoted; None if it is who migrates."""
    return cast(
        "str | None",
        _scalar(
            "SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class"  # noqa: S608 our names
            f" WHERE oid = '{table}'::regclass AND pg_get_userbyid(relowner) <> current_user"
        ),
    )


def _month(ahead: int) -> datetime:
    now = datetime.now(UTC)
    months = now.year * 12 + now.month - 1 + ahead
    return datetime(months // 12, months % 12 + 1, 1)


def _scalar(statement: str) -> object:
    return op.get_bind().scalar(sa.text(statement))
