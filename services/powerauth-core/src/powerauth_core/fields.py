"""Members that requests of several domains share (spec/core-api.md §31.1)."""

from typing import Annotated

from pydantic import Field

RequiredText = Annotated[str, Field(pattern=r"\S")]
"""A text with something else than white space in it."""

MAX_ATTEMPTS = 2**31 - 1
"""What the columns of attempt counters hold."""

MaxFailureCount = Annotated[int, Field(gt=0, le=MAX_ATTEMPTS)]
"""Failures after which an activation is blocked or removed."""
