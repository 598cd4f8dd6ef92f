"""Completes an image's bill of materials: its name, what its base brings, and the list of licences.

    python3 bill_of_materials.py IMAGE MOMENT MATERIALS LICENCES

IMAGE: its name. MOMENT: of the release, seconds since 1970. MATERIALS: CycloneDX as JSON, with the Python
packages. LICENCES: the list, to be written. It runs where `cyclonedx` is installed.
"""

from __future__ import annotations

import json
import platform
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import distributions
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

DPKG = (Path("/var/lib/dpkg/status"), Path("/var/lib/dpkg/status.d"))
"""What Debian's packages are registered in: one file, or one each where there is no package manager."""
OS_RELEASE = Path("/etc/os-release")


def complete(bill: dict[str, Any], image: str, moment: int) -> None:
    """Say what the bill is of and when it was written, and add what is no Python package."""
    release = next(each["version"] for each in bill["components"] if each["name"] == "powerauth-protocol")
    metadata = bill.setdefault("metadata", {})
    metadata["timestamp"] = datetime.fromtimestamp(moment, UTC).isoformat()
    metadata["component"] = {"bom-ref": image, "type": "container", "name": image, "version": release}
    bill["components"] += [interpreter(), *debian_packages()]


def declare_licences(bill: dict[str, Any], environment: Path) -> None:
    """What a package says of its licence in words that are no known one's name was left out: add it."""
    folders = [str(folder) for folder in environment.glob("lib/python3*/site-packages")]
    words = {each.name: each.metadata.json.get("license") for each in distributions(path=folders)}
    for component in bill["components"]:
        said = words.get(component["name"])
        if isinstance(said, str) and not component.get("licenses"):
            component["licenses"] = [{"license": {"name": said.partition("\n")[0]}}]


def licence_of(component: dict[str, Any]) -> str:
    """A licence as SPDX writes it, or in the words of the package; where to read it if it has neither."""
    named = (
        entry.get("expression") or entry["license"].get("id") or entry["license"].get("name")
        for entry in component.get("licenses", ())
    )
    return ", ".join(sorted({each.strip().partition("\n")[0] for each in named if each})) or "see its files"


def interpreter() -> dict[str, Any]:
    """The base's Python, which may be of no package."""
    release = platform.python_version()
    package = f"pkg:generic/python@{release}"
    return {
        "bom-ref": package,
        "type": "platform",
        "name": "CPython",
        "version": release,
        "purl": package,
        "licenses": [{"license": {"id": "PSF-2.0"}}],
    }


def debian_packages() -> Iterator[dict[str, Any]]:
    """The packages of a base made of Debian's or a descendant's; none elsewhere."""
    whole, parts = DPKG
    texts = [whole.read_text(encoding="utf-8")] if whole.exists() else []
    texts += [
        part.read_text(encoding="utf-8") for part in sorted(parts.glob("*")) if part.suffix != ".md5sums"
    ]
    system = distribution()
    for block in re.split(r"\n\n+", "\n\n".join(texts).strip()):
        fields = dict(re.findall(r"^([A-Z][\w-]*): *(.*)$", block, re.MULTILINE))
        if "Package" in fields and fields.get("Status", "installed").endswith("installed"):
            yield debian_component(fields, system)


def debian_component(fields: dict[str, str], system: str) -> dict[str, Any]:
    """A package as a component; its licences stand in its own file."""
    name, version = fields["Package"], fields["Version"]
    package = f"pkg:deb/{system}/{name}@{quote(version)}?arch={fields['Architecture']}"
    text = f"/usr/share/doc/{name}/copyright"
    return {
        "bom-ref": package,
        "type": "library",
        "name": name,
        "version": version,
        "purl": package,
        "licenses": [{"license": {"name": text}}],
    }


def distribution() -> str:
    """The name of the base's system, `debian` where it does not say."""
    found = re.search(r'^ID="?([^"\n]+)', OS_RELEASE.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1] if found else "debian"


def main(image: str, moment: str, materials: str, licences: str) -> None:
    """Complete the one file and write the other.

    :raises SystemExit: what came of it is no CycloneDX
    """
    bill: dict[str, Any] = json.loads(Path(materials).read_text(encoding="utf-8"))
    declare_licences(bill, Path(materials).parents[1])
    complete(bill, image, int(moment))
    text = json.dumps(bill, indent=2, sort_keys=True) + "\n"
    if (fault := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)) is not None:
        raise SystemExit(f"{materials}: {fault}")
    Path(materials).write_text(text, encoding="utf-8")
    lines = sorted(f"{each['name']} {each['version']}: {licence_of(each)}\n" for each in bill["components"])
    Path(licences).write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
