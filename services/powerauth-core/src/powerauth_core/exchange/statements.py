"""The reads of key exchanges that go past the entities (PostgreSQL)."""

from __future__ import annotations

from powerauth_contracts.enums import ActivationProtocol
from powerauth_core.activations.rules import CREATED
from powerauth_core.activations.statements import FOUND, SELECTED
from servicekit.reads import Read

WAITING = Read(
    f"""SELECT {SELECTED} {FOUND}
    WHERE a.activation_code = $1 AND a.application_id = $2 AND a.activation_status = {CREATED.code}
        AND a.protocol = '{ActivationProtocol.POWERAUTH.value}' AND a.timestamp_activation_expire > $3
        AND a.parent_activation_id IS NULL
        AND ($4 IS NULL OR EXISTS (
            SELECT FROM pa_temporary_key k WHERE k.id = $4 AND k.timestamp_expires >= $3 LIMIT 1 OFFSET 0))
        AND NOT ($5 AND EXISTS (
            SELECT FROM pa_recovery_config c WHERE c.application_id = $2 AND c.activation_recovery_enabled
            LIMIT 1 OFFSET 0))
    LIMIT 1""",  # noqa: S608 our names
    ("varchar", "int", "timestamp", "varchar", "bool"),
)
"""The activation that waits for a device with this code of an application, at this moment, if nothing besides
has to be looked at: no other activation has opened it, the temporary key (NULL: none was used) is there, and
there is no recovery code to issue, if one is wanted.
"""
