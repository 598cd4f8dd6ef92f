"""What this room uses of a running service."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends

from cloud_private_api.localizations.texts import PushTexts
from cloud_private_api.parts import WithDatabase, running


class Ports(WithDatabase, Protocol):
    """What use cases of this room take."""

    @property
    def push_texts(self) -> PushTexts: ...


Running = Annotated[Ports, Depends(running)]
"""Parameter type of a route."""
