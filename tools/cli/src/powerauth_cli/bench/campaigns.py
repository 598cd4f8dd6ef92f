"""A campaign to many devices, sent by this process on its own PostgreSQL to a provider that takes everything.

Two campaigns run one after the other, a small and the large one: what memory the second needs beyond the
first is what grows with the number of devices.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from uuid import UUID

from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from sqlalchemy import text

from powerauth_cli.bench.target import resident_megabytes
from powerauth_cli.localservers import PostgresServer
from powerauth_push.app import build, running
from powerauth_push.applications import service as applications
from powerauth_push.applications.secrets import Credentials
from powerauth_push.campaigns import service as campaigns
from powerauth_push.container import Push
from powerauth_push.providers.messages import Device, Message
from powerauth_push.providers.outcomes import SENT, Outcome
from powerauth_push.settings import PushSettings

_APP = "bench"
_MESSAGE = '{"title":"News","body":"The branch in your street is open until eight from Monday on"}'
_FEW = 10_000
_LOOK_SECONDS = 0.5
_FILL = (
    """
    INSERT INTO push_device_registration (id, activation_id, user_id, app_id, platform, push_token,
        push_token_digest, timestamp_last_registered, is_active)
    SELECT number, 'activation-' || number, 'user-' || number, :app, 'hms', 'token-' || number,
        encode(sha256(('token-' || number)::bytea), 'hex'), now() AT TIME ZONE 'UTC', true
    FROM generate_series(1, :devices) AS number
    """,
    """
    INSERT INTO push_campaign_user (id, campaign_id, user_id, timestamp_created)
    SELECT nextval('push_campaign_user_seq'), campaign.id, 'user-' || number, now() AT TIME ZONE 'UTC'
    FROM push_campaign AS campaign, generate_series(1, :devices) AS number
    WHERE campaign.id = :large OR number <= :few
    """,
    "ANALYZE",
)


@dataclass(frozen=True, slots=True)
class CampaignFigures:
    """What one campaign took.

    :ivar memory_mb: most that the process held at any look while it ran
    """

    devices: int
    seconds: float
    memory_mb: float

    @property
    def per_second(self) -> float:
        """Messages a second, from the start to the last outcome."""
        return self.devices / self.seconds


class _EverythingArrives:
    """Makes senders that send nothing; is one itself."""

    def make(self, application: str, provider: str, credentials: Credentials) -> _EverythingArrives:
        """See `SenderFactory`."""
        return self

    async def deliver(
        self,
        message: Message,
        device: Device,
        delivery: UUID,
        attempts_before: int = 0,
        *,
        at_most_once: bool = False,
    ) -> Outcome:
        """See `Sender`."""
        await asyncio.sleep(0)
        return SENT

    async def close(self, grace_seconds: float = 0.0) -> None:
        """There is nothing to let go of."""


async def measure_campaigns(console: Console, devices: int, *, as_json: bool) -> None:
    """Send both campaigns and print what each took."""
    with PostgresServer() as postgres:
        settings = PushSettings(database_url=postgres.url, restrict_access=False)
        push = build(settings, factory=_EverythingArrives())
        async with running(push, None):
            small, large = await _prepared(push, devices)
            figures = [
                await _sent(console, push, small, min(devices, _FEW)),
                await _sent(console, push, large, devices),
            ]
    if as_json:
        print(json.dumps([asdict(one) | {"per_second": one.per_second} for one in figures]))
        return
    table = Table("devices", "seconds", "per second", "resident MB")
    for one in figures:
        table.add_row(str(one.devices), f"{one.seconds:.1f}", f"{one.per_second:.0f}", f"{one.memory_mb:.0f}")
    console.print(table)


async def _prepared(push: Push, devices: int) -> tuple[int, int]:
    """An application with so many devices, and a small and a large campaign to their users."""
    await applications.create(push.database, _APP)
    await applications.set_hms(push, _APP, "bench-project", "bench-client", "bench-secret")
    small, large = [await campaigns.create(push, _APP, _MESSAGE) for _ in range(2)]
    values = {
        "app": await push.applications.number(_APP),
        "devices": devices,
        "few": min(devices, _FEW),
        "large": large,
    }
    for statement in _FILL:
        async with push.database.transaction() as session:
            await session.execute(text(statement), values)
    return small, large


async def _sent(console: Console, push: Push, number: int, devices: int) -> CampaignFigures:
    begun, most = time.monotonic(), 0.0
    await campaigns.send_live(push, number)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"{devices} devices", total=devices)
        async for known in _known(push, number):
            most = max(most, resident_megabytes())
            progress.update(task, completed=known)
    return CampaignFigures(devices, time.monotonic() - begun, most)


async def _known(push: Push, number: int) -> AsyncIterator[int]:
    """Of how many messages the outcome is known, until there are no more."""
    while True:
        campaign, _app_id = await campaigns.detail(push.database, number)
        yield campaign.sent_count + campaign.failed_count
        if campaign.timestamp_completed is not None:
            return
        await asyncio.sleep(_LOOK_SECONDS)
