"""Finding what was changed in the signature audit behind the core's back (docs/audit.md)."""
