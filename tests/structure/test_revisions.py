"""The names of revisions, as they are read without Alembic, sort in the order in which Alembic runs them."""

from __future__ import annotations

import pytest
from alembic.script import ScriptDirectory

from servicekit import migrations

SERVICES = ("powerauth_core:migrations", "cloud_private_api:migrations", "powerauth_push:migrations")


@pytest.mark.parametrize("location", SERVICES)
def test_revisions_are_known_in_their_order(location: str) -> None:
    scripts = ScriptDirectory(str(migrations.folder_of(location)))
    assert [script.revision for script in scripts.walk_revisions()][::-1] == migrations.history(location)
