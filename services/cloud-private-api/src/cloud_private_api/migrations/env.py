"""Runs the revisions on the connection that `servicekit.migrations` has prepared."""

from cloud_private_api.tables import METADATA
from servicekit.migrations import run_migrations

run_migrations(METADATA)
