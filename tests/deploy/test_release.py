"""A release is the same however often it is built, and whoever has its folder needs nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from deploy_release import SETS, Release, run

from servicekit.serving import free_port

pytestmark = pytest.mark.deploy

APPLICATIONS = {
    "core": "powerauth_core.app",
    "enrollment": "enrollment.app",
    "cloud": "cloud_private_api.app",
    "push": "powerauth_push.app",
    "tools": "powerauth_cli.main",
}
NOT_IN_THE_DMZ = ("sqlalchemy", "asyncpg", "aiosqlite", "alembic", "aio_pika", "aiormq", "pika", "psycopg")


@pytest.fixture(scope="module")
def environments(release: Release, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pythons of new environments, one with each set."""
    folder = tmp_path_factory.mktemp("environments")
    return {name: release.install(name, folder / name) for name in SETS}


def test_another_checkout_gives_the_same_bytes(release: Release, tmp_path: Path) -> None:
    again = Release(tmp_path)
    again.build()
    assert (again.dist / "SHA256SUMS").read_text() == (release.dist / "SHA256SUMS").read_text()
    run("sha256sum", "--check", "--quiet", "SHA256SUMS", cwd=release.dist)


def test_a_source_distribution_builds_the_same_wheel(release: Release, tmp_path: Path) -> None:
    for archive in sorted(release.dist.glob("*.tar.gz")):
        run("tar", "-xf", archive, "-C", tmp_path)
        unpacked = tmp_path / archive.name.removesuffix(".tar.gz")
        moment = str(int((unpacked / "PKG-INFO").stat().st_mtime))
        run(
            *(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path),
            cwd=unpacked,
            environment={"SOURCE_DATE_EPOCH": moment},
        )
    built = {path.name: path.read_bytes() for path in tmp_path.glob("*.whl")}
    assert built == {path.name: path.read_bytes() for path in release.dist.glob("*.whl")}


@pytest.mark.parametrize("name", SETS)
def test_a_service_is_installed_from_the_folder_alone(environments: dict[str, Path], name: str) -> None:
    there = "import sys, importlib; print(importlib.import_module(sys.argv[1]).__file__)"
    found = Path(run(environments[name], "-I", "-c", there, APPLICATIONS[name], cwd=Path("/")).strip())
    assert found.is_relative_to(environments[name].parents[1])


def test_an_extra_installs_what_the_set_does(
    release: Release, environments: dict[str, Path], tmp_path: Path
) -> None:
    python = release.install_by_pip(tmp_path / "environment", "powerauth-server[enrollment]")
    assert installed(python) - installed(environments["enrollment"]) == {"powerauth-server"}


def installed(python: Path) -> set[str]:
    """The distributions of an environment."""
    names = "import importlib.metadata as m; print(*(each.name for each in m.distributions()))"
    return set(run(python, "-I", "-c", names).split())


def test_enrollment_starts_without_database_driver_and_broker_client(environments: dict[str, Path]) -> None:
    python = environments["enrollment"]
    for name in NOT_IN_THE_DMZ:
        assert subprocess.run(
            [python, "-I", "-c", f"import {name}"], check=False, capture_output=True
        ).returncode
    port = free_port()
    service = subprocess.Popen(
        [python, "-P", "-m", "enrollment"], cwd="/", env={"ENROLLMENT_PORT": str(port)}
    )
    try:
        with httpx2.Client(transport=httpx2.HTTPTransport(retries=10)) as http:
            answer = http.get(f"http://127.0.0.1:{port}/enrollment-server/actuator/health", timeout=60)
        assert (answer.status_code, answer.json()["status"]) == (200, "UP")
    finally:
        service.terminate()
        assert service.wait(60) == 0
