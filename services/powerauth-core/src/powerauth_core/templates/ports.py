"""What this room uses of a running core."""

from __future__ import annotations

from typing import Protocol

from powerauth_core.kernel.ports import WithDatabase
from powerauth_core.templates.cache import TemplateCache


class WithTemplates(Protocol):
    """Has `template_cache`."""

    @property
    def template_cache(self) -> TemplateCache: ...


class Ports(WithDatabase, WithTemplates, Protocol):
    """What use cases of this room take."""
