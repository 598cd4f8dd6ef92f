"""Entry point of the migrations."""

from powerauth_core.schema import metadata
from servicekit.migrations import run_migrations

run_migrations(metadata)
