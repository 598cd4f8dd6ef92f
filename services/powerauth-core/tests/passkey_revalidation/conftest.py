"""A bank with attested passkeys."""

from __future__ import annotations

from pathlib import Path

import pytest
from core_test_api import TestApplication
from core_test_attested import Bank
from core_test_metadata import Publisher, known_by

from powerauth_core.container import Core

PUBLISHER = Publisher()


@pytest.fixture
def bank(core: Core, application: TestApplication, tmp_path: Path) -> Bank:
    """An application of a core that takes uploads of a publisher."""
    for name, value in known_by(PUBLISHER, tmp_path).items():
        setattr(core.settings, name, value)
    return Bank(core, application, PUBLISHER)
