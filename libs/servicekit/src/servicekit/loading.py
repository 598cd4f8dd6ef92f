"""What the import of modules costs a start, which is most of it.

What a process loads is there to stay. To search it for garbage again and again while it grows is a fifth of
what a start costs, and later searches would look at it once more.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def loading() -> Generator[None]:
    """Around the import of modules: the collector leaves alone what they make, meanwhile and later."""
    worked = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if worked:
            gc.enable()


@contextmanager
def models_built_later() -> Generator[None]:
    """Around the import of libraries with models: what reads and writes one is built when it is first used,
    as with ours. The framework alone has dozens of them for its documents.
    """
    from pydantic import BaseModel  # noqa: PLC0415 - not every command needs it

    before = BaseModel.model_config
    BaseModel.model_config = {**before, "defer_build": True}
    try:
        yield
    finally:
        BaseModel.model_config = before


@contextmanager
def without(name: str) -> Generator[None]:
    """Around the import of a library that loads another one, where it is installed, for nothing used here."""
    if name in sys.modules:
        yield
        return
    # How Python is told that there is none.
    sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[name]


def settle() -> None:
    """What is there when a service is ready stays too.

    Requests leave few cycles behind, so the collector may come less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
