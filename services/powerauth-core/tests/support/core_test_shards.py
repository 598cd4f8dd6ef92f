"""Where the tables would lie if they were spread by Citus, what a statement asks of it (docs/scale.md)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlglot import exp, parse_one


@dataclass(frozen=True, slots=True)
class Place:
    """How the rows of a table are spread.

    :ivar column: whose hash decides
    :ivar group: tables of one group with the same value there lie together
    """

    column: str
    group: str


ACTIVATION, OPERATION = "activation", "operation"
SPREAD = {
    "pa_activation": Place("activation_id", ACTIVATION),
    "pa_activation_history": Place("activation_id", ACTIVATION),
    "pa_signature_audit": Place("activation_id", ACTIVATION),
    "pa_token": Place("activation_id", ACTIVATION),
    "pa_fido2_attestation": Place("activation_id", ACTIVATION),
    "pa_fido2_user": Place("user_id", "user"),
    "pa_operation": Place("id", OPERATION),
    "pa_operation_application": Place("operation_id", OPERATION),
    "operation_user": Place("user_id", "user"),
    "audit_log": Place("audit_log_id", "log"),
    "audit_param": Place("audit_log_id", "log"),
    "audit_chain": Place("chain_id", "chain"),
    "pa_temporary_key": Place("id", "temporary key"),
    "pa_unique_value": Place("unique_value", "value"),
    "pa_application_callback_event": Place("id", "callback"),
    "pa_jwt_not_before": Place("subject", "tokens of a subject"),
    "pa_jwt_revoked": Place("jti", "token"),
    "pa_jwt_session": Place("session_id", "session"),
    "pa_jwt_user": Place("user_id", "user"),
    "dt_ticket": Place("hash", "ticket"),
    "dt_fingerprint": Place("fingerprint_id", "fingerprint"),
    "pa_recovery_code": Place("id", "recovery"),
    "pa_recovery_puk": Place("recovery_code_id", "recovery"),
    "dt_lockout": Place("subject", "attempt"),
    "dt_passkey_session": Place("hash", "session"),
    "dt_rate": Place("subject", "attempt"),
}
"""Tables that grow with users."""

REFERENCE = frozenset(
    {
        "es_operation_template",
        "pa_application",
        "pa_application_callback",
        "pa_application_config",
        "pa_application_version",
        "pa_fido2_authenticator",
        "pa_mds_blob",
        "pa_integration",
        "pa_jwt_key",
        "pa_master_keypair",
        "pa_oidc_client",
        "pa_operation_template",
        "pa_recovery_config",
        "statement_key",
    }
)
"""Configuration: a copy on every node."""

LOCAL = frozenset(
    {
        "audit_chain_key",
        "audit_chain_registry",
        "audit_export_cursor",
        "audit_unchained",
        "inbox_event",
        "job_lease",
        "master_key_record",
        "outbox_event",
        "pa_passkey_data_file",
        "pa_passkey_revalidation",
        "pa_schema_history",
        "shedlock",
    }
)
"""On the coordinator: queues and bookkeeping."""


@dataclass(frozen=True, slots=True, eq=False)
class _Use:
    """A spread table in a part of a statement."""

    table: str
    alias: str
    scope: exp.Expr

    @property
    def place(self) -> Place:
        return SPREAD[self.table]

    @property
    def is_written(self) -> bool:
        """Whether the part of the statement changes this table."""
        target = self.scope.args.get("this")
        changes = isinstance(self.scope, exp.Insert | exp.Update | exp.Delete)
        return changes and isinstance(target, exp.Expr) and self.table in _names(target)

    def is_key(self, found: exp.Expr | None) -> bool:
        """Whether an expression is the column by which the table is spread."""
        named = isinstance(found, exp.Column) and found.name == self.place.column
        return named and isinstance(found, exp.Column) and found.table in ("", self.alias)


def crossings(sql: str) -> set[str]:
    """What makes a statement ask several shards for one thing.

    ``all shards of T``: its rows are not found by the column that spreads T. ``asks A, B``: groups whose rows
    lie apart, each found by a key of its own. ``writes A, B``: such groups, written together.
    """
    uses = list(_uses(parse_one(sql, read="postgres")))
    found = {f"all shards of {use.table}" for use in uses if use not in _found(uses)}
    groups = {use.place.group for use in uses}
    written = {use.place.group for use in uses if use.is_written}
    apart = {f"writes {', '.join(sorted(written))}"} if len(written) > 1 else set()
    if len(groups) > 1 and groups != written:
        apart.add(f"asks {', '.join(sorted(groups))}")
    return found | apart


def tables_of(sql: str) -> set[str]:
    """All tables of ours in a statement."""
    known = {*SPREAD, *REFERENCE, *LOCAL}
    return {table.name for table in parse_one(sql, read="postgres").find_all(exp.Table)} & known


def _names(target: exp.Expr) -> set[str]:
    return {table.name for table in target.find_all(exp.Table)}


def _uses(tree: exp.Expr) -> Iterator[_Use]:
    for table in tree.find_all(exp.Table):
        if table.name in SPREAD:
            scope = table.find_ancestor(exp.Select, exp.Update, exp.Insert, exp.Delete)
            assert scope is not None
            yield _Use(table.name, table.alias_or_name, scope)


def _found(uses: list[_Use]) -> list[_Use]:
    """Those whose rows are found by what is given, or beside rows that are."""
    found: list[_Use] = []
    while more := [use for use in uses if use not in found and _is_found(use, uses, found)]:
        found += more
    return found


def _is_found(use: _Use, uses: list[_Use], found: list[_Use]) -> bool:
    if isinstance(use.scope, exp.Insert):
        return any(column.name == use.place.column for column in use.scope.this.expressions)
    equalities = [each for each in use.scope.find_all(exp.EQ, exp.In) if _scope_of(each) is use.scope]
    return any(
        use.is_key(one) and _is_given(use, other, uses, found)
        for each in equalities
        for one, other in ((each.this, each.expression), (each.expression, each.this))
    )


def _scope_of(node: exp.Expr) -> exp.Expr | None:
    return node.find_ancestor(exp.Select, exp.Update, exp.Insert, exp.Delete)


def _is_given(use: _Use, other: exp.Expr | None, uses: list[_Use], found: list[_Use]) -> bool:
    """Whether the other side of an equality is given, or the key of rows that are found and lie beside."""
    if not isinstance(other, exp.Column):
        return True
    beside = [each for each in uses if each.alias == other.table and each is not use]
    group = use.place.group
    return all(each in found and each.is_key(other) and each.place.group == group for each in beside)
