"""What is released: the parts agree, their wheels are whole, and each image's locked set is the smallest."""

from __future__ import annotations

import re
import subprocess
import tomllib
from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path
from typing import Any

import pytest
from hatchling.builders.wheel import WheelBuilder
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PARTS = sorted(
    path.parent for group in ("libs", "services", "tools") for path in ROOT.glob(f"{group}/*/pyproject.toml")
)
UMBRELLA = "powerauth-server"
SETS = ("core", "enrollment", "cloud", "push", "tools")
LICENCES = {"passphrase-meter": "Apache-2.0 AND CC-BY-SA-4.0"}
"""Of parts that bring data under another licence."""
PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;]+)(?: ; ([^\\]+))?", re.MULTILINE)


def project_of(part: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((part / "pyproject.toml").read_text())["project"]
    return project


def locked(name: str) -> dict[str, str]:
    """Versions in a locked set by package, of those that this platform needs."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    pins = [found for found in PIN.findall(text) if not found[2] or Marker(found[2].strip()).evaluate()]
    return {canonicalize_name(package): release for package, release, _ in pins}


def closure(*wanted: str) -> Iterator[str]:
    """The packages that requirements lead to, by what is installed."""
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(each), extra) for each in wanted for extra in ("", *Requirement(each).extras)]
    while waiting:
        requirement, extra = waiting.pop()
        name = canonicalize_name(requirement.name)
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        yield name
        for line in requires(name) or ():
            found = Requirement(line)
            if found.marker is None or found.marker.evaluate({"extra": extra}):
                waiting += [(found, each) for each in ("", *found.extras)]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_part_says_the_same_as_the_others(part: Path) -> None:
    project = project_of(part)
    assert version(project["name"]) == (ROOT / "VERSION").read_text().strip()
    assert project["name"].startswith("powerauth-"), "a stranger could register another name at an index"
    assert project["license"] == LICENCES.get(part.name, "Apache-2.0")
    assert project["requires-python"] == ">=3.11"
    assert (part / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_a_wheel_holds_every_file_of_its_package(part: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "src"], cwd=part, capture_output=True, text=True, check=True)
    files = {name.removeprefix("src/") for name in listed.stdout.splitlines() if (part / name).exists()}
    held = {
        Path(each.distribution_path).as_posix() for each in WheelBuilder(str(part)).recurse_included_files()
    }
    assert files <= held
    assert not files or any(name.endswith("/py.typed") for name in held)


@pytest.mark.parametrize("name", SETS)
def test_a_locked_set_is_what_its_image_needs_and_nothing_else(name: str) -> None:
    own = {project_of(part)["name"] for part in PARTS}
    image = locked(name)
    assert set(image) == set(closure(f"{UMBRELLA}[{name}]")) - own
    assert image.items() <= locked("dev").items(), "what is tested is what is installed"


def test_every_part_belongs_to_the_release() -> None:
    own = {project_of(part)["name"] for part in PARTS}
    assert own <= set(closure(f"{UMBRELLA}[all]"))
