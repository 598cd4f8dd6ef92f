"""Services of two replicas each, behind addresses that stay while replicas come and go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from fault_switch import Switch

from powerauth_cli.separate import SeparateProcesses, ServiceProcess

REPLICAS = 2
DRAINED = {
    f"{name}_{setting}": seconds
    for name in ("CORE", "ENROLLMENT", "CLOUD", "PUSH")
    for setting, seconds in (("DRAIN_SECONDS", "40"), ("GRACEFUL_SHUTDOWN_SECONDS", "100"))
}
"""For longer than any client uses a connection again: services of 0.1.0 do so for 30 s."""


class Replicas(ServiceProcess):
    """Replicas of one service behind one address; all that are started serve.

    :ivar members: they; one that is replaced leaves its place to the other
    """

    def __init__(self, name: str, context_path: str, environment: Mapping[str, str]) -> None:
        super().__init__(name, context_path, environment)
        self._settings = (context_path, dict(environment))
        self._balancer = Switch(port=self.port)
        self.members = [self.another() for _ in range(REPLICAS)]
        self._starting: set[asyncio.Task[None]] = set()

    def another(self, **settings: str) -> ServiceProcess:
        """One more of them, not started.

        :param settings: environment variables that it has beside those of the others
        """
        context_path, environment = self._settings
        return ServiceProcess(self.name, context_path, environment | settings)

    async def start(self) -> None:
        """Start the first one, which may have a schema to make; the others follow while it serves."""
        await self._balancer.__aenter__()
        first, *others = self.members
        await first.start()
        for member in others:
            self._start_soon(member)
        self.lead_to(self.members)

    async def all_serve(self) -> None:
        """Wait for those that are being started."""
        await asyncio.gather(*self._starting)

    async def stop(self) -> int:
        """Stop all; the status of one that did not end well, if any."""
        await self.all_serve()
        statuses = await asyncio.gather(*[member.stop() for member in self.members])
        await self._balancer.__aexit__(None, None, None)
        return next((status for status in statuses if status), 0)

    def lead_to(self, members: Iterable[ServiceProcess]) -> None:
        """Let new connections go to these alone."""
        self._balancer.lead_to(*[member.port for member in members], cut=False)

    async def die(self, number: int) -> None:
        """Kill one while the others serve, and start it again."""
        await self.all_serve()
        await self.members[number].kill()
        self._start_soon(self.members[number])

    def _start_soon(self, member: ServiceProcess) -> None:
        starting = asyncio.create_task(member.start())
        self._starting.add(starting)
        starting.add_done_callback(self._starting.discard)

    async def replace(self, number: int, settings: Mapping[str, str], *, by_request: bool) -> int:
        """As an orchestrator does it: the new one is ready before the old one gets no more connections, and
        that is told to stop when those on their way have come.

        :param by_request: whether the balancer leads each request by itself, and not connections alone
        :return: the old one's exit status
        """
        await self.all_serve()
        old, new = self.members[number], self.another(**settings)
        await new.start()
        self.members[number] = new
        self.lead_to(self.members)
        await self._balancer.leave(old.port, by_request=by_request)
        return await old.stop()


def replicas(stack: SeparateProcesses, name: str) -> Replicas:
    """Those of a service of a stack that is ``made_by=Replicas``."""
    found = stack.processes[name]
    assert isinstance(found, Replicas)
    return found


def all_running(stack: SeparateProcesses) -> dict[str, list[int]]:
    """Process ids of all replicas: those that are still the same were not restarted."""
    return {name: [member.pid for member in replicas(stack, name).members] for name in stack.processes}
