"""What is read from the network, one entry each: samples, the reader, what it may refuse with, the writer."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mutations import Sample

VECTORS = Path(__file__).parents[2] / "vectors"


@dataclass(frozen=True, slots=True)
class WireFormat:
    """One format.

    :ivar read: raises nothing but `refusals`
    :ivar write: the value's text; what is written is read as the same value
    :ivar sealed: only what the samples say is ever accepted, because a MAC or a signature vouches for it
    :ivar share: how many cases it gets, compared with the others
    """

    name: str
    samples: Sequence[Sample]
    read: Callable[[Any], Any]
    refusals: tuple[type[Exception], ...] = ()
    write: Callable[[Any], Any] | None = None
    sealed: bool = False
    share: float = 1.0

    def __str__(self) -> str:
        return self.name


def vectors(topic: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Inputs and outputs of a vector file."""
    content = json.loads((VECTORS / f"{topic}.json").read_text(encoding="utf-8"))
    return [(vector["input"], vector["output"]) for vector in content["vectors"]]
