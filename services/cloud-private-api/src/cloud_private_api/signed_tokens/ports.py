"""What this room uses of a running service."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends

from cloud_private_api.parts import WithCore, WithDatabase, running


class Ports(WithCore, WithDatabase, Protocol):
    """What use cases of this room take."""


Running = Annotated[Ports, Depends(running)]
"""Parameter type of a route."""
