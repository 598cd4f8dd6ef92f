"""What this room uses of a running enrollment service."""

from __future__ import annotations

from typing import Protocol

from enrollment.core_client import CoreDoor
from enrollment.texts.cache import TextCache
from enrollment.texts.formatters import OperationTextFormatter


class WithTexts(Protocol):
    """Has what operations are shown with."""

    @property
    def texts(self) -> TextCache: ...

    @property
    def formatters(self) -> tuple[OperationTextFormatter, ...]: ...


class Ports(WithTexts, Protocol):
    """What use cases of this room take."""

    @property
    def door(self) -> CoreDoor: ...
