"""The core's signed statements of who asks (D1 rule 5)."""
