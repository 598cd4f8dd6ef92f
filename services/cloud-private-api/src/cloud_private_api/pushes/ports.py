"""What other rooms use of this one."""

from __future__ import annotations

from typing import Protocol

from cloud_private_api.pushes.service import Announcements


class WithAnnouncements(Protocol):
    """Has `announcements`."""

    @property
    def announcements(self) -> Announcements: ...
