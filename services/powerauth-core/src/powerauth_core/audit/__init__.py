"""The general audit log."""
