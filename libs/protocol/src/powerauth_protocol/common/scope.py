"""Scope of encryption and temporary keys (spec/protocol-v3.md §5.1, §6)."""

from enum import StrEnum


class Scope(StrEnum):
    """Whose keys are used: the application's, or those of one activation."""

    APPLICATION = "application"
    ACTIVATION = "activation"
