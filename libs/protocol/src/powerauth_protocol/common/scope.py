"""Scope of encryption and temporary keys (spec/protocol-v3.md §5.1, §6)."""

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """Whose keys are used: the application's, or those of one activation."""

    APPLICATION = "application"
    ACTIVATION = "activation"


# A value, never changed. Not frozen: that makes it five times as dear.
@dataclass(slots=True)
class Party:
    """Whose envelope it is, as both sides know it.

    :ivar application_key: Base64 text as transmitted
    :ivar application_secret: Base64 text; empty at an edge, which does not know it
    :ivar activation_id: in activation scope only
    """

    application_key: str
    application_secret: str = field(default="", repr=False)
    activation_id: str | None = None

    @property
    def scope(self) -> Scope:
        """Activation scope exactly if an activation is named."""
        return Scope.APPLICATION if self.activation_id is None else Scope.ACTIVATION
