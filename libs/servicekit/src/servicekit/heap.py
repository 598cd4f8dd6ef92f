"""The garbage collector around a start.

What a process loads is there to stay. To search it for garbage again and again while it grows is a fifth of
what a start costs, and later searches would look at it once more.
"""

from __future__ import annotations

import gc
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


def settle() -> None:
    """What is there when a service is ready stays too.

    Requests leave few cycles behind, so the collector may come less often.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
