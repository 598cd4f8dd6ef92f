"""Searches the memory of a running process, as a core dump of it would be searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

_PIECE = 8 * 1024 * 1024
_LONGEST_MARKER = 256


def occurrences(pid: int, markers: Mapping[str, bytes]) -> dict[str, int]:
    """How often each marker is anywhere in the private memory of a process."""
    found = dict.fromkeys(markers, 0)
    for piece in _private_memory(pid):
        for name, marker in markers.items():
            found[name] += piece.count(marker)
    return found


def _private_memory(pid: int) -> Iterator[bytes]:
    """The readable private regions, in pieces that overlap by more than a marker."""
    with Path(f"/proc/{pid}/maps").open() as maps, Path(f"/proc/{pid}/mem").open("rb", 0) as memory:
        for line in maps:
            span, permissions, *_ = line.split()
            if not (permissions.startswith("r") and permissions.endswith("p")):
                continue
            start, end = (int(part, 16) for part in span.split("-"))
            for begin in range(start, end, _PIECE):
                try:
                    memory.seek(begin)
                    yield memory.read(min(_PIECE + _LONGEST_MARKER, end - begin))
                except (OSError, OverflowError):
                    break  # a region of the kernel
