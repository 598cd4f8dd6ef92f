"""How statements without locks fail when somebody else was first (CONTRIBUTING.md, hot statements)."""

import asyncpg

PATIENCE_MS = 100
"""How long such a statement waits for a row that somebody else changes."""

ANOTHER_NOW = (asyncpg.DivisionByZeroError, asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
"""The driver's errors of an undone statement: something is not as it was read, or is being changed."""
