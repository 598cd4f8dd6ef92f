"""Changing rows behind the calls of the core, with their MACs (D32)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, select

from powerauth_core.activations.models import Activation
from powerauth_core.container import Core


async def rewrite(core: Core, *conditions: ColumnElement[bool], **values: Any) -> None:
    """Write columns of activations as the core itself would; of all without a condition."""
    async with core.database.transaction() as session:
        for row in await session.scalars(select(Activation).where(*conditions)):
            for name, value in values.items():
                setattr(row, name, value)
