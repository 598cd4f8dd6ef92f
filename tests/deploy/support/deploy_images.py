"""Images built without a daemon: by buildah, on a base of Debian's packages, in a store of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from deploy_release import Release, run

from powerauth_cli.localservers.programs import find_or_install

NAMES = ("powerauth-core", "powerauth-enrollment", "powerauth-cloud", "powerauth-push", "powerauth-tools")
BASE = "localhost/powerauth-base"
SUITE = "bookworm"
"""Debian's release with the Python that runs the tests elsewhere too, 3.11."""
PYTHON_OF_THE_SUITE = "3.11"
IN_THE_BASE = "libpython3-stdlib,python3-minimal,ca-certificates,tzdata"


def tool(name: str) -> Path:
    """A program of the same package's name, installed where that can be done.

    :raises ProgramMissing: with the command that installs it
    """
    return find_or_install(name, (), apt_package=name, brew_package=name)


def storage_driver(folder: Path) -> str:
    """`overlay` where the kernel lets us mount one, else `vfs`, which copies every layer."""
    parts = [folder / name for name in ("lower", "upper", "work", "merged")]
    for part in parts:
        part.mkdir()
    lower, upper, work, merged = parts
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    command = ["mount", "-t", "overlay", "overlay", "-o", options, str(merged)]
    if subprocess.run(command, check=False, capture_output=True).returncode != 0:
        return "vfs"
    run("umount", merged)
    return "overlay"


class Images:
    """The images of a release, in a store of their own.

    :param release: built, with its wheelhouse
    """

    def __init__(self, release: Release) -> None:
        self.release = release
        self._folder = Path(tempfile.mkdtemp(prefix="powerauth-images-"))
        self._environment: dict[str, str] = {}

    def __enter__(self) -> Self:
        assert os.geteuid() == 0, "images are built and run as root"
        try:
            self._make_store()
            self._make_base()
            self.release.fetch_wheels(PYTHON_OF_THE_SUITE)
            self.build()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _make_store(self) -> None:
        configuration = self._folder / "storage.conf"
        configuration.write_text(
            f'[storage]\ndriver = "{storage_driver(self._folder)}"\n'
            f'graphroot = "{self._folder}/graph"\nrunroot = "{self._folder}/run"\n'
        )
        self._environment = {
            "CONTAINERS_STORAGE_CONF": str(configuration),
            "BUILDAH_ISOLATION": "chroot",
            "ENGINE": "buildah",
            "BASE": BASE,
            "TAG": "latest",
            "TMPDIR": str(self._folder),
        }

    def _make_base(self) -> None:
        archive = self._folder / "base.tar"
        run(tool("mmdebstrap"), "--quiet", "--variant=minbase", f"--include={IN_THE_BASE}", SUITE, archive)
        container = self.buildah("from", "scratch").strip()
        self.buildah("add", "--quiet", container, str(archive), "/")
        self.buildah("commit", "--quiet", "--rm", container, BASE)
        archive.unlink()

    def buildah(self, *arguments: str) -> str:
        """A command of buildah in this store."""
        return run(tool("buildah"), *arguments, environment=self._environment)

    def build(self, *names: str, **environment: str) -> None:
        """`make images`, from the release as it is."""
        run("scripts/images.sh", *names, cwd=self.release.tree, environment=self._environment | environment)

    def configuration(self, name: str) -> dict[str, Any]:
        """What an image says of how it is run."""
        told: dict[str, Any] = json.loads(self.buildah("inspect", "--type", "image", f"localhost/{name}"))
        configured: dict[str, Any] = told["Docker"]["config"]
        return configured

    def layers(self, name: str) -> list[str]:
        """Digests of an image's layers."""
        told = json.loads(self.buildah("inspect", "--type", "image", f"localhost/{name}"))
        digests: list[str] = told["Docker"]["rootfs"]["diff_ids"]
        return digests

    def root_of(self, name: str) -> Path:
        """The file system of an image, in a folder."""
        container = self.buildah("from", f"localhost/{name}").strip()
        return Path(self.buildah("mount", container).strip())

    def _remove(self) -> None:
        if self._environment:
            run(tool("buildah"), "rm", "--all", environment=self._environment)
        shutil.rmtree(self._folder)
