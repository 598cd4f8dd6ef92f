"""Getting the BLOB from its publisher (spec/device-trust.md §4.11): the work of a process of its own, for the
core calls nobody there.
"""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import httpx2

from powerauth_core.fido_metadata import service
from powerauth_core.fido_metadata.ports import Ports
from powerauth_core.fido_metadata.service import Offer, Taken
from powerauth_core.kernel.egress import Egress, EgressRefused
from powerauth_core.settings import CoreSettings

HTTP = "HTTP"


class DownloadFailed(Exception):
    """The publisher, or what stands in between, did not give a BLOB. The text is for the operator."""


async def download(ports: Ports, egress: Egress) -> Taken:
    """Get the BLOB and put it in force.

    :raises DownloadFailed: it could not be got
    :raises MdsInvalid: it is not the publisher's; `MdsRollback`: it is older than the one in force
    """
    content = await _got(ports.settings, egress)
    return await service.load(ports, Offer(content, HTTP, "download"))


async def _got(settings: CoreSettings, egress: Egress) -> bytes:
    try:
        tls = await asyncio.to_thread(_tls, settings.mds_tls_ca_path)
        egress.policy.check_url(settings.mds_url)
        async with egress.client(tls) as client, client.stream("GET", settings.mds_url) as answer:
            if answer.status_code != 200:
                raise DownloadFailed(f"{settings.mds_url} answered {answer.status_code}")
            return await _bounded(answer)
    except (httpx2.HTTPError, EgressRefused, OSError) as error:
        raise DownloadFailed(f"{settings.mds_url}: {type(error).__name__}: {error}") from None


async def _bounded(answer: httpx2.Response) -> bytes:
    content = bytearray()
    async for part in answer.aiter_bytes():
        content += part
        if len(content) > service.MOST_BYTES:
            raise DownloadFailed(f"the answer is larger than {service.MOST_BYTES} bytes")
    return bytes(content).strip()


def _tls(authorities: Path | None) -> ssl.SSLContext | None:
    return None if authorities is None else ssl.create_default_context(cafile=str(authorities))
