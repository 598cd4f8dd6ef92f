"""Folders and files that hold customers' data or secrets: for their owner alone, from their first moment."""

from __future__ import annotations

import os
from collections.abc import Iterable
from errno import EISDIR
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def private_folder(folder: Path) -> None:
    """Make a folder for its owner alone; one that exists stays as it is."""
    folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)


def private_file(path: Path) -> None:
    """Make an empty file for its owner alone; one that exists stays as it is.

    SQLite gives the files that it puts beside a database the database's mode. A database that is in use must
    not even be opened here: closing it would drop all locks that this process holds on it (POSIX).

    :raises OSError: it cannot be made, or is none
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
    except FileExistsError:
        if path.is_dir():
            raise IsADirectoryError(EISDIR, os.strerror(EISDIR), str(path)) from None


def write_private(path: Path, text: str) -> None:
    """Write a new file for its owner alone.

    :raises FileExistsError: there is one
    """
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w") as file:
        file.write(text)


def closed_to_others(paths: Iterable[Path]) -> list[Path]:
    """Take from everybody but the owner what an earlier release or a copy left open.

    :return: what was open
    """
    opened = [path for path in paths if path.exists() and path.stat().st_mode & 0o077]
    for path in opened:
        path.chmod(path.stat().st_mode & 0o700)
    return opened
