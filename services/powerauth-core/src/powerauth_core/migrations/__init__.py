"""Database migrations: revision 0001 is the original's schema, later ones are ours. Forward only."""

SCRIPT_LOCATION = "powerauth_core:migrations"
BASELINE = "0001_baseline"
"""The revision to stamp an existing 1.9 database with, before upgrading it."""
