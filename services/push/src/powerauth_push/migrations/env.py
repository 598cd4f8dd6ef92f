"""Runs the revisions on the connection that `servicekit.migrations` has prepared."""

from powerauth_push.tables import METADATA
from servicekit.migrations import run_migrations

run_migrations(METADATA)
