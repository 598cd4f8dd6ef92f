"""Typed, thin client of the core's ``/rest/v3`` door: one method per call, no decisions."""

from cloud_private_api.core_client.activations import Activations
from cloud_private_api.core_client.applications import Applications, Callbacks, Reports
from cloud_private_api.core_client.operations import Operations, Templates, Texts
from cloud_private_api.core_client.transport import CoreDoor, CoreRefused
from cloud_private_api.core_client.verification import VerificationCalls
from servicekit.http import ServiceClient

__all__ = ["CoreClient", "CoreRefused"]


class CoreClient:
    """The core, by subject."""

    def __init__(self, http: ServiceClient) -> None:
        self._http = http
        door = CoreDoor(http)
        self.activations = Activations(door)
        self.applications = Applications(door)
        self.callbacks = Callbacks(door)
        self.operations = Operations(door)
        self.reports = Reports(door)
        self.templates = Templates(door)
        self.texts = Texts(door)
        self.verification = VerificationCalls(door)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.close()
