"""How statements without locks fail when somebody else was first (CONTRIBUTING.md, hot statements)."""

PATIENCE_MS = 100
"""How long such a statement waits for a row that somebody else changes."""

ANOTHER_NOW = frozenset({"22012", "55P03", "40P01"})
"""SQLSTATEs of an undone statement: something is not as it was read (division by zero), or is being changed
(lock not available, deadlock).
"""
