"""What the tests of installations share: a release built from a checkout of its own, and the images of it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "support"))

from deploy_images import Images
from deploy_release import Release


@pytest.fixture(scope="session")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    """`make dist` and its wheelhouse."""
    made = Release(tmp_path_factory.mktemp("release"))
    made.build()
    made.fetch_wheels()
    return made


@pytest.fixture(scope="session")
def images(release: Release) -> Iterator[Images]:
    """All images, on a base that was made here."""
    with Images(release) as built:
        yield built
