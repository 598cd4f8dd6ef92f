"""`powerauth fakes push`: the fake providers by hand."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Mapping
from pathlib import Path

from powerauth_cli.fakes.phones import Shown
from powerauth_cli.fakes.stack import (
    BUNDLE,
    HMS_CLIENT,
    HMS_PROJECT,
    HMS_SECRET,
    KEY,
    PROJECT,
    TEAM,
    FakeProviders,
    Ports,
    fake_providers,
)
from powerauth_cli.fakes.wire import Fault

READY = "ready"
"""The last line before messages: everything listens, every file is there."""
CA_FILE, APNS_FILE, FCM_FILE = "ca.pem", "apns.p8", "fcm.json"
_KEEP = 1000
_SPARE_WINDOW = 1024 * 1024


def parsed_faults(texts: list[str]) -> dict[Fault, float]:
    """Shares of requests that go wrong, out of `kind=share`.

    :raises ValueError: no such kind, or no share between 0 and 1
    """
    shares = {}
    for text in texts:
        kind, _, share = text.partition("=")
        shares[Fault(kind)] = float(share)
    if any(share < 0 for share in shares.values()) or sum(shares.values()) > 1:
        raise ValueError("shares are between 0 and 1, and together too")
    return shares


async def serve_fakes(
    folder: Path, first_port: int, faults: Mapping[Fault, float], slow_seconds: float, *, quiet: bool
) -> None:
    """Serve until the process is told to end.

    :param folder: gets the certificate to trust and the credentials
    :param first_port: of five in a row; 0: any free ones
    :param quiet: do not print messages
    """
    ports = Ports(*range(first_port, first_port + 5)) if first_port else None
    async with fake_providers(None if quiet else _print, ports, _KEEP) as fakes:
        for server in (fakes.production, fakes.development, fakes.fcm, fakes.hms):
            server.faults.shares = dict(faults)
            server.faults.slow_seconds = slow_seconds
        for http2 in (fakes.production, fakes.development, fakes.fcm):
            http2.manners.spare_window = _SPARE_WINDOW
        for line in _hand_over(fakes, folder):
            print(line)
        print(READY, flush=True)
        await _told_to_end()


def _hand_over(fakes: FakeProviders, folder: Path) -> list[str]:
    """Write the files; what somebody has to know to use the providers."""
    folder.mkdir(parents=True, exist_ok=True)
    ca_file = folder / CA_FILE
    ca_file.write_bytes(fakes.authority.ca_file.read_bytes())
    (folder / APNS_FILE).write_bytes(fakes.apns_key)
    (folder / FCM_FILE).write_bytes(fakes.fcm_file)
    return [
        *(f"{name}={value}" for name, value in fakes.environment(ca_file).items()),
        f"# APNs: bundle {BUNDLE}, team {TEAM}, key {KEY}, {folder / APNS_FILE}",
        f"# FCM: project {PROJECT}, {folder / FCM_FILE}",
        f"# HMS: project {HMS_PROJECT}, client {HMS_CLIENT}, secret {HMS_SECRET}",
    ]


def _print(shown: Shown) -> None:
    print(shown.text(), flush=True)


async def _told_to_end() -> None:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, told.set)
    await told.wait()
