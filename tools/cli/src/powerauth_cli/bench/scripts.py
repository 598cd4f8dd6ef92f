# ruff: noqa: S608 - constants
"""SQL of the measurements: what pgbench does instead of the core, and many rows to begin with.

Each script of pgbench runs prepared transactions on copies of the core's tables with their columns and
indexes, with the values of rows that the core has written. No server that opens as many transactions for a
request can be faster on this database.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Sample:
    """A row that the core has written, to be inserted again and again.

    :ivar fresh: SQL of the columns that differ from row to row, by name
    """

    table: str
    where: str = "true"
    fresh: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """What pgbench does instead of the core.

    :ivar prepare: statements that make its tables
    :ivar script: a sample's name in braces stands for `(columns) VALUES (values)`, `{activations}` for the
        number of active ones
    """

    prepare: str
    script: str
    samples: Mapping[str, Sample]


_COPY = """
DROP TABLE IF EXISTS bench_{0};
CREATE TABLE bench_{0} (LIKE {0} INCLUDING DEFAULTS INCLUDING INDEXES);
"""

VERIFY = Work(
    prepare=_COPY.format("pa_activation")
    + _COPY.format("pa_signature_audit")
    + """
ALTER TABLE bench_pa_activation ADD COLUMN number int UNIQUE;
INSERT INTO bench_pa_activation
 SELECT a.*, row_number() OVER () FROM pa_activation a WHERE activation_status = 3;
VACUUM ANALYZE bench_pa_activation, bench_pa_signature_audit;
""",
    script=r"""\set number random(1, {activations})
BEGIN;
SELECT * FROM bench_pa_activation WHERE number = :number FOR UPDATE;
UPDATE bench_pa_activation SET counter = counter + 1, ctr_data = 'AAAAAAAAAAAAAAAAAAAAAA==',
 failed_attempts = 0, timestamp_last_used = now() WHERE number = :number;
INSERT INTO bench_pa_signature_audit {audit};
COMMIT;
""",
    samples={"audit": Sample("pa_signature_audit", "valid")},
)
"""One verification."""

_EVENT = """INSERT INTO bench_outbox_event (id, type, source, subject, data, timestamp_created) VALUES
 (gen_random_uuid()::text, 'operation.created', '/powerauth-core', 'bench-' || :id,
 repeat('x', 200), now());"""

OPERATION = Work(
    prepare="".join(
        _COPY.format(table)
        for table in ("pa_operation", "pa_operation_application", "audit_log", "outbox_event")
    ),
    script=rf"""\set id random(1, 9000000000000000)
BEGIN;
INSERT INTO bench_pa_operation {{operation}};
INSERT INTO bench_pa_operation_application {{link}};
INSERT INTO bench_audit_log {{audit}};
{_EVENT}
COMMIT;
BEGIN;
SELECT * FROM bench_pa_operation WHERE id = 'bench-' || :id FOR UPDATE;
UPDATE bench_pa_operation SET status = 4, timestamp_finalized = now() WHERE id = 'bench-' || :id;
INSERT INTO bench_audit_log {{audit}};
{_EVENT}
COMMIT;
""",
    samples={
        "operation": Sample("pa_operation", fresh={"id": "'bench-' || :id", "status": "1"}),
        "link": Sample("pa_operation_application", fresh={"operation_id": "'bench-' || :id"}),
        "audit": Sample("audit_log", "audit_type = 'operation'", {"audit_log_id": "gen_random_uuid()::text"}),
    },
)
"""One operation, created and approved: two transactions, without what the check of the code writes."""

CARELESS = """
ALTER SYSTEM SET fsync = off;
ALTER SYSTEM SET full_page_writes = off;
ALTER SYSTEM SET max_wal_size = '64GB';
SELECT pg_reload_conf();
"""
"""While a database is filled, which is made anew if the machine fails meanwhile."""

CAREFUL = """
ALTER SYSTEM RESET fsync;
ALTER SYSTEM RESET full_page_writes;
ALTER SYSTEM RESET max_wal_size;
SELECT pg_reload_conf();
CHECKPOINT;
"""
"""As before, with everything on the disk."""

QUICKLY = """
SET session_replication_role = replica;
SET synchronous_commit = off;
SET maintenance_work_mem = '1GB';
CREATE TEMPORARY TABLE put_off AS
 SELECT indexrelid::regclass::text AS name, replace(pg_get_indexdef(indexrelid), ' ON ONLY ', ' ON ') AS made
 FROM pg_index WHERE indrelid = ANY('{{{tables}}}'::regclass[]) AND NOT indisunique;
SELECT 'DROP INDEX ' || name FROM put_off \\gexec
{fill};
SELECT made FROM put_off \\gexec
VACUUM ANALYZE {tables};
"""
"""Many rows: indexes are made when all are there, but for those of keys, which come in ascending order."""

FILL_ACTIVATIONS = """
INSERT INTO pa_activation ({columns})
SELECT {values} FROM (SELECT * FROM pa_activation WHERE activation_status = 3 LIMIT 1) a,
 generate_series((SELECT count(*) + 1 FROM pa_activation), {total}) AS number
"""
FILLED = {
    "activation_id": "gen_random_uuid()::text",
    "user_id": "'filler-' || number",
    "activation_code": "'FILLED-' || number",
}
_NUMBER = "'filler-' || lpad(number::text, 9, '0')"
FILL_OPERATIONS = f"""
INSERT INTO pa_operation (id, user_id, operation_type, template_name, data, parameters, status,
 signature_type, failure_count, max_failure_count, timestamp_created, timestamp_expires)
SELECT {_NUMBER}, 'filler-' || number % 100000, 'bench_payment', 'bench-payment', 'A1*A100CZK',
 '{{{{}}}}', CASE WHEN number % 10 = 0 THEN 1 ELSE 4 END, 'possession_knowledge', 0, 5,
 now() - number * interval '50 ms', now() - number * interval '50 ms' + interval '300 s'
 FROM generate_series(1, {{total}}) AS number;
INSERT INTO pa_operation_application (application_id, operation_id)
SELECT (SELECT min(id) FROM pa_application), {_NUMBER} FROM generate_series(1, {{total}}) AS number
"""
FILL_AUDIT = f"""
INSERT INTO audit_log (audit_log_id, application_name, audit_level, audit_type, timestamp_created, message,
 param, calling_class, thread_name, version, subject_id)
SELECT {_NUMBER}, 'powerauth-core', 'INFO', 'operation', now() - number * interval '25 ms',
 'Operation', '{{{{}}}}', 'powerauth_core', 'powerauth_core', '1', 'filler-' || number % 100000
 FROM generate_series(1, 2 * {{total}}) AS number
"""
