"""What this room uses of a running core."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends

from powerauth_core.kernel.ports import WithCipher, WithDatabase, running


class Ports(WithDatabase, WithCipher, Protocol):
    """What use cases of this room take."""


Running = Annotated[Ports, Depends(running)]
"""Parameter type of a route."""
