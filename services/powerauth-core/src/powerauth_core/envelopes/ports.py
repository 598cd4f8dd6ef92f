"""What this room uses of a running core."""

from __future__ import annotations

from typing import Annotated, Protocol

from fastapi import Depends

from powerauth_core.activations.ports import WithActivationKeys
from powerauth_core.applications.ports import WithApplications
from powerauth_core.kernel.ports import WithCipher, WithDatabase, WithSettings, running


class Ports(WithDatabase, WithSettings, WithCipher, WithApplications, WithActivationKeys, Protocol):
    """What use cases of this room take."""


Running = Annotated[Ports, Depends(running)]
"""Parameter type of a route."""
