"""Documents that are true: their links lead somewhere, their commands, settings and dependencies exist."""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.core import TyperGroup

from cloud_private_api.settings import CloudSettings
from enrollment.settings import EnrollmentSettings
from powerauth_cli.main import app
from powerauth_core.settings import CoreSettings
from powerauth_push.settings import PushSettings
from servicekit.settings import ServiceSettings
from servicekit.start_rules import FILE_SUFFIX

ROOT = Path(__file__).parents[2]
SPECIFICATION = "docs/spec/"
"""What the original does: its names are not ours."""

LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.+)$", re.MULTILINE)
CODE = re.compile(r"```.*?```|`[^`\n]+`", re.DOTALL)
COMMAND = re.compile(r"(?<![\w./-])powerauth((?: [a-z][a-z|-]*(?![\w./:=]))+)")
VARIABLE = re.compile(r"(?<![\w…])(CORE|CLOUD|ENROLLMENT|PUSH)_([A-Z0-9_]*[A-Z0-9])(?![\w=*]*…)")
ROW = re.compile(r"^\| ([^|]+) \|", re.MULTILINE)
REQUIREMENT = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")

SETTINGS: dict[str, type[ServiceSettings]] = {
    "CORE": CoreSettings,
    "CLOUD": CloudSettings,
    "ENROLLMENT": EnrollmentSettings,
    "PUSH": PushSettings,
}
NO_SETTINGS = {
    "CORE_DATABSE_URL": "misspelt, as an example",
    "CORE_SERVICE_HOST": "of Kubernetes, as an example",
}
OWN = {
    "powerauth-protocol",
    "powerauth-contracts",
    "powerauth-sdk",
    "powerauth-passphrase-meter",
    "powerauth-servicekit",
    "powerauth-core",
    "powerauth-enrollment",
    "powerauth-cloud",
    "powerauth-push",
}
"""Packages of this workspace."""
NAMED_WITHOUT_PREFIX = {"cloud-private-api": "CLOUD", "enrollment": "ENROLLMENT", "push": "PUSH"}
"""READMEs whose table of settings leaves the prefix out."""


@cache
def documents() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).exists())


def ours() -> list[Path]:
    """The documents about this product."""
    return [path for path in documents() if not str(path.relative_to(ROOT)).startswith(SPECIFICATION)]


def anchors(path: Path) -> set[str]:
    """What can stand behind the `#` of a link to a document."""
    headings = HEADING.findall(re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL))
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path: Path) -> list[str]:
    broken = []
    for link in LINK.findall(re.sub(r"`[^`\n]+`", "", path.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            broken.append(link)
    return broken


def test_every_link_leads_to_a_file_and_its_heading() -> None:
    found = {str(path.relative_to(ROOT)): broken_links(path) for path in documents()}
    assert {name: links for name, links in found.items() if links} == {}


def test_the_readme_leads_to_every_document() -> None:
    readme = (ROOT / "README.md").read_text()
    documents = (ROOT / "docs").glob("*.md")
    assert [path.name for path in documents if f"(docs/{path.name})" not in readme] == []


def unknown_part(words: str) -> str | None:
    """The first word of a command that names neither a command nor an argument's choice; `a|b` names both."""
    commands: list[Any] = [typer.main.get_command(app)]
    for word in words.split():
        groups = [command for command in commands if isinstance(command, TyperGroup)]
        if not groups:
            return None
        found = [group.commands.get(part) for part in word.split("|") for group in groups]
        if any(command is None for command in found):
            return word
        commands = [command for command in found if command is not None]
    return None


def test_every_command_that_is_named_exists() -> None:
    named = [
        (str(path.relative_to(ROOT)), words)
        for path in ours()
        for code in CODE.findall(path.read_text())
        for words in COMMAND.findall(code)
    ]
    assert len(named) > 60, "the commands are no longer found"
    assert [(path, words) for path, words in named if unknown_part(words)] == []


def exists(prefix: str, name: str) -> bool:
    known = SETTINGS[prefix].model_fields
    return name.lower() in known or name.removesuffix(FILE_SUFFIX).lower() in known


def test_every_variable_that_is_named_is_a_setting() -> None:
    """The changelog also tells what is gone, in the names that it had."""
    named = {
        (str(path.relative_to(ROOT)), f"{prefix}_{name}")
        for path in ours()
        if path.name not in ("CHANGELOG.md", "decisions.md")
        for prefix, name in VARIABLE.findall(re.sub(r"(?<=[\w])_\n", "", path.read_text()))
        if not exists(prefix, name) and f"{prefix}_{name}" not in NO_SETTINGS
    }
    assert {(path, name) for path, name in named if not _named_without_prefix(path, name)} == set()


def _named_without_prefix(path: str, name: str) -> bool:
    """Whether `CORE_URL` in a table is the setting `ENROLLMENT_CORE_URL`."""
    prefix = NAMED_WITHOUT_PREFIX.get(Path(path).parent.name)
    return prefix is not None and exists(prefix, name)


@pytest.mark.parametrize("service", NAMED_WITHOUT_PREFIX)
def test_every_row_of_a_table_of_settings_is_one(service: str) -> None:
    text = (ROOT / "services" / service / "README.md").read_text()
    section = text.partition("\n## Settings\n")[2].partition("\n## ")[0].split("| alarm |")[0]
    names: list[str] = []
    for cell in ROW.findall(section):
        for name in re.findall(r"`([A-Z0-9_]+)`", cell):
            # `A_PER_ADDRESS` / `_PER_NAME`: the second continues as the first begins.
            names += [name] if not name.startswith("_") else _continued(names[-1], name, service)
    assert len(names) > 15, "the rows are no longer found"
    assert [name for name in names if not exists(NAMED_WITHOUT_PREFIX[service], name)] == []


def _continued(first: str, ending: str, service: str) -> list[str]:
    parts = first.split("_")
    for length in range(len(parts) - 1, 0, -1):
        whole = "_".join(parts[:length]) + ending
        if exists(NAMED_WITHOUT_PREFIX[service], whole):
            return [whole]
    return [first + ending]


def required(*names: str) -> set[str]:
    """The packages of requirements files, without what they include."""
    lines = [line for name in names for line in (ROOT / "requirements" / name).read_text().splitlines()]
    return {found[0].lower() for line in lines if (found := REQUIREMENT.match(line))}


def explained() -> set[str]:
    """The packages that have a row in docs/dependencies.md."""
    cells = ROW.findall((ROOT / "docs" / "dependencies.md").read_text())
    return {name.strip().lower() for cell in cells for name in cell.split(",")} - {"package", "---"}


def test_every_dependency_has_a_reason_and_every_reason_a_dependency() -> None:
    assert explained() == required("runtime.in", "images.in", "dev.in")


def test_the_locked_set_is_what_the_packages_ask_for() -> None:
    asked: set[str] = set()
    for path in ROOT.glob("*/*/pyproject.toml"):
        if path.parts[-3] == "examples":
            continue
        project = tomllib.loads(path.read_text())["project"]
        extras = project.get("optional-dependencies", {}).values()
        for line in (*project.get("dependencies", ()), *(line for extra in extras for line in extra)):
            found = REQUIREMENT.match(line)
            assert found is not None
            asked.add(found[0].lower())
    builds = {"hatchling", "editables"}
    assert asked - OWN == required("runtime.in") - builds
