"""The version of this service."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

VERSION = version("powerauth-push")
BUILD_TIME = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC).replace(tzinfo=None)
"""When this code was installed."""
