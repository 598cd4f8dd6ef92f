"""Names of rows and events: no two are the same, whatever a process does."""

from __future__ import annotations

import os
import random
from uuid import UUID

import pytest

from servicekit.names import unique_name


def test_a_name_is_a_uuid_of_version_4() -> None:
    name = unique_name()
    assert (str(UUID(name)), UUID(name).version) == (name, 4)


def test_who_seeds_the_modules_generator_makes_no_name_come_again() -> None:
    names = set()
    for _ in range(10):
        random.seed(1)
        names.add(unique_name())
    assert len(names) == 10


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forked_processes_make_other_names() -> None:
    names = set()
    for _ in range(4):
        reading, writing = os.pipe()
        child = os.fork()
        if not child:
            os.write(writing, unique_name().encode())
            os._exit(0)
        os.waitpid(child, 0)
        os.close(writing)
        with open(reading, "rb") as told:
            names.add(told.read())
    assert len(names) == 4
