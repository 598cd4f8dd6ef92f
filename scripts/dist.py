"""Builds a release: a wheel and a source distribution of every part, what each image installs, and what
browsers get.

    python scripts/dist.py [FOLDER]

FOLDER/requirements/SET.txt is the locked `requirements/SET.txt` and, with their hashes, those of our wheels
that the extra SET of `powerauth-server` reaches. Two runs on one commit give the same bytes: their times are
SOURCE_DATE_EPOCH, or that of the commit.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from email.parser import BytesParser
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

ROOT = Path(__file__).parents[1]
PARTS = sorted(
    path.parent for group in ("libs", "services", "tools") for path in ROOT.glob(f"{group}/*/pyproject.toml")
)
UMBRELLA = "powerauth-server"
SETS = ("core", "enrollment", "cloud", "push", "tools")


CLIENTS = sorted(path.parent for path in ROOT.glob("clients/*/package.json"))


def build(folder: Path, epoch: str) -> None:
    """A wheel and a source distribution of every part."""
    for part in PARTS:
        command = [
            sys.executable,
            "-m",
            "hatchling",
            "build",
            "-t",
            "sdist",
            "-t",
            "wheel",
            "-d",
            str(folder),
        ]
        environment = os.environ | {"SOURCE_DATE_EPOCH": epoch, "HATCH_QUIET": "1"}
        subprocess.run(command, cwd=part, env=environment, check=True, stdout=subprocess.DEVNULL)  # noqa: S603


def pack_clients(folder: Path, epoch: str) -> None:
    """What runs in browsers, packed as npm packs it."""
    for client in CLIENTS:
        package = json.loads((client / "package.json").read_text(encoding="utf-8"))
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for path in _files_of(client, package["files"]):
                member = tarfile.TarInfo(f"package/{path.relative_to(client).as_posix()}")
                member.size, member.mtime, member.mode = path.stat().st_size, int(epoch), 0o644
                with path.open("rb") as content:
                    archive.addfile(member, content)
        name = f"{package['name']}-{package['version']}.tgz"
        (folder / name).write_bytes(gzip.compress(packed.getvalue(), mtime=int(epoch)))


def _files_of(client: Path, listed: list[str]) -> Iterator[Path]:
    for name in sorted(["LICENSE", "README.md", "package.json", *listed]):
        path = client / name
        yield from sorted(path.rglob("*.*")) if path.is_dir() else [path]


def _time_of_the_commit() -> str:
    command = ["git", "log", "-1", "--format=%ct"]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603


def wheels_of(folder: Path) -> dict[str, Path]:
    """Our wheels by the name of their distribution."""
    return {parse_wheel_filename(path.name)[0]: path for path in sorted(folder.glob("*.whl"))}


def reached(wheels: dict[str, Path], extra: str) -> set[str]:
    """Which of our distributions `powerauth-server[extra]` installs, itself left out: it has no code."""
    found: set[str] = set()
    waiting = [Requirement(f"{UMBRELLA}[{extra}]")]
    while waiting:
        name = waiting.pop().name
        if name not in found:
            found.add(name)
            waiting += (each for each in _needs(wheels[name], extra) if each.name in wheels)
    return found - {UMBRELLA}


def _needs(wheel: Path, extra: str) -> Iterator[Requirement]:
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        headers = BytesParser().parsebytes(archive.read(name), headersonly=True)
    for line in headers.get_all("Requires-Dist", []):
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield requirement


def hashed(wheel: Path) -> str:
    """A line of a requirements file that takes this wheel and no other."""
    name, version, *_ = parse_wheel_filename(wheel.name)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def write_sets(folder: Path) -> None:
    """What `pip install --require-hashes` reads, for each image."""
    wheels = wheels_of(folder)
    (folder / "requirements").mkdir()
    for name in SETS:
        locked = (ROOT / "requirements" / f"{name}.txt").read_text(encoding="utf-8")
        own = "".join(hashed(wheels[each]) for each in sorted(reached(wheels, name)))
        (folder / "requirements" / f"{name}.txt").write_text(locked + own, encoding="utf-8")
    shutil.copy(ROOT / "requirements" / "images.txt", folder / "requirements")


def write_checksums(folder: Path) -> None:
    """`SHA256SUMS`, as `sha256sum --check` reads it."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = (
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder)}\n" for path in files
    )
    (folder / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def main(folder: Path) -> int:
    """Build everything; the folder must be empty or absent."""
    if folder.exists() and any(folder.iterdir()):
        sys.stderr.write(f"{folder} is not empty\n")
        return 2
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or _time_of_the_commit()
    build(folder, epoch)
    pack_clients(folder, epoch)
    write_sets(folder)
    write_checksums(folder)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / "dist"))
