"""Database migrations: revision 0001 is the original's schema, later ones are ours. Forward only."""

SCRIPT_LOCATION = "powerauth_push:migrations"
BASELINE = "0001_baseline"
"""The revision to stamp an existing database of the original with, before upgrading it."""
