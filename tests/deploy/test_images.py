"""The images: what is in them, and that they serve as an orchestrator runs them."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Iterator
from io import StringIO
from pathlib import Path

import pytest
from deploy_images import NAMES, Images
from deploy_release import COMMITTED, run
from deploy_stack import PATHS, Stack
from rich.console import Console

from powerauth_cli.demo.scenario import Addresses, Scenario
from powerauth_cli.demo.transcript import Transcript
from powerauth_protocol.generation import NEWEST, generation_of
from servicekit.testing import PATIENCE_SECONDS

pytestmark = pytest.mark.deploy

SHARE = "opt/powerauth/share"
PIN = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
REQUEST = (
    "POST {path}/no/such/call HTTP/1.1\r\nHost: x\r\n"
    "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{{"
)
"""All of a request but its last byte."""


@pytest.fixture(scope="module")
def roots(images: Images) -> dict[str, Path]:
    """The file systems of all images."""
    return {name: images.root_of(name) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_an_image_says_how_it_is_run(images: Images, name: str) -> None:
    image = images.configuration(name)
    assert (image["User"], image["StopSignal"]) == ("10001:10001", "SIGTERM")
    assert image["Entrypoint"][0] == "/opt/powerauth/bin/python", "no shell in between, signals arrive"
    labels = {key.removeprefix("org.opencontainers.image."): value for key, value in image["Labels"].items()}
    assert (labels["title"], labels["licenses"], labels["created"]) == (name, "Apache-2.0", COMMITTED)
    assert labels["version"] == (images.release.tree / "VERSION").read_text().strip()
    assert labels["revision"] == run("git", "rev-parse", "HEAD", cwd=images.release.tree).strip()


@pytest.mark.parametrize("name", NAMES)
def test_a_bill_of_materials_names_what_is_in_the_image(
    images: Images, roots: dict[str, Path], name: str
) -> None:
    bill = json.loads((roots[name] / SHARE / "sbom.cdx.json").read_text())
    assert (bill["bomFormat"], bill["metadata"]["component"]["name"]) == ("CycloneDX", name)
    kinds = {each["purl"].partition("/")[0] for each in bill["components"]}
    assert kinds == {"pkg:pypi", "pkg:deb", "pkg:generic"}
    python = {normal(each["name"]) for each in bill["components"] if each["purl"].startswith("pkg:pypi")}
    locked = (images.release.dist / f"requirements/{name.removeprefix('powerauth-')}.txt").read_text()
    assert python <= {normal(found) for found in PIN.findall(locked)}
    assert python == {normal(path.name.rpartition("-")[0]) for path in packages_in(roots[name])}
    licences = (roots[name] / SHARE / "licences.txt").read_text().splitlines()
    assert len(licences) == len(bill["components"])
    assert [line for line in licences if line.endswith("see its files")] == []
    beside = images.release.dist / "images" / name
    for file in ("sbom.cdx.json", "licences.txt"):
        assert (beside / file).read_bytes() == (roots[name] / SHARE / file).read_bytes()


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def packages_in(root: Path) -> Iterator[Path]:
    """Whatever Python package is anywhere in an image, that of the base left out: it has none."""
    for path in root.rglob("*.dist-info"):
        yield path.with_name(path.name.removesuffix(".dist-info"))


def test_who_is_in_the_tools_image_finds_its_command(images: Images, roots: dict[str, Path]) -> None:
    environment = dict(each.split("=", 1) for each in images.configuration("powerauth-tools")["Env"])
    folders = [roots["powerauth-tools"] / each.lstrip("/") for each in environment["PATH"].split(":")]
    assert [each for each in folders if (each / "powerauth").is_file()]


@pytest.mark.parametrize("name", NAMES)
def test_nothing_of_the_build_is_in_an_image(roots: dict[str, Path], name: str) -> None:
    assert not (roots[name] / "build").exists()
    writable = [
        path
        for path in (roots[name] / "opt").rglob("*")
        if not path.is_symlink() and path.stat().st_mode & 0o022
    ]
    assert writable == []
    assert all(path.lstat().st_uid == 0 for path in (roots[name] / "opt").rglob("*"))


def test_a_second_build_gives_the_same_layers(images: Images) -> None:
    first = images.layers("powerauth-enrollment")
    images.build("powerauth-enrollment", OPTIONS="--no-cache", TAG="again")
    assert images.layers("powerauth-enrollment:again") == first


@pytest.fixture(scope="module")
async def stack(images: Images) -> AsyncIterator[Stack]:
    """All services in containers."""
    running = Stack(images)
    try:
        await running.start()
        yield running
    finally:
        await running.stop()


async def test_an_activation_and_its_approvals_go_through_all_containers(stack: Stack) -> None:
    said = StringIO()
    tell = Transcript(Console(file=said, width=110))
    addresses = Addresses(stack.services["enrollment"].url, stack.services["cloud"].url)
    await Scenario(tell, addresses, stack.admin, generation_of(NEWEST).version).run()
    assert tell.steps > 20, said.getvalue()


@pytest.mark.parametrize("name", PATHS)
async def test_a_container_tells_that_it_is_healthy(stack: Stack, name: str) -> None:
    assert await asyncio.to_thread(stack.containers[name].is_healthy)


@pytest.mark.parametrize("name", [*reversed(PATHS)])
async def test_a_container_that_is_stopped_finishes_what_it_was_asked(stack: Stack, name: str) -> None:
    service = stack.services[name]
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    writer.write(REQUEST.format(path=PATHS[name]).encode())
    await writer.drain()
    # Whatever comes later is answered, so this one has arrived.
    await stack.containers[name].ready(service.readiness)
    stopping = asyncio.create_task(stack.containers[name].stop())
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await is_open(service.port):  # noqa: ASYNC110 - in another process
            await asyncio.sleep(0.05)
        assert not stopping.done()
        writer.write(b"}")
        assert (await reader.readline()).split()[1] in (b"401", b"404")
        assert await stopping == 0
    writer.close()


async def is_open(port: int) -> bool:
    """Whether somebody is let in."""
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
