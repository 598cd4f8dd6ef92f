"""Running a request again: once, when the database undid all of it and nobody else has heard of it (D27).

A unit is a request, or a call of a bundle. The database tells that a fault left nothing behind, and whoever
stores or sends something tells that a second run would do it twice.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class Unit:
    """A piece of work.

    :ivar undone: a fault left nothing behind
    :ivar spent: something would be done twice
    """

    undone: bool = False
    spent: bool = False

    @property
    def may_run_again(self) -> bool:
        """Whether a second run does no harm, and may do better."""
        return self.undone and not self.spent


current: ContextVar[Unit | None] = ContextVar("unit", default=None)
"""What is being done."""


def undone() -> None:
    """A fault that another connection, or another moment, may not have, and that left nothing behind."""
    unit = current.get()
    if unit is not None:
        unit.undone = True


def spent() -> None:
    """Something is about to be stored, or told to somebody else, that a second run would repeat."""
    unit = current.get()
    if unit is not None:
        unit.spent = True


async def repeated(work: Callable[[], Awaitable[T]]) -> T:
    """Do a unit of work, a second time if it failed without leaving anything behind."""
    unit = Unit()
    token = current.set(unit)
    try:
        try:
            return await work()
        except Exception:
            if not unit.may_run_again:
                raise
        return await work()
    finally:
        current.reset(token)
