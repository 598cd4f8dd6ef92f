"""What the life cycles share: see ``support/running_core.py``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_HERE = Path(__file__).parent
sys.path.insert(0, str(_HERE / "support"))


def _load_device_module() -> None:
    """Make ``device.py`` importable as ``core_test_device``: test folders are no packages."""
    name = "core_test_device"
    if name not in sys.modules:
        path = _HERE.parent / "activations" / "device.py"
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])


_load_device_module()
