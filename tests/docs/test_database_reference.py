"""docs/tables.md says of every table and column what the services' classes say, and of none too little."""

from __future__ import annotations

from pathlib import Path

import pytest

from powerauth_cli.database_reference import EVERYWHERE, PACKAGES, columns_of, reference

PAGE = Path(__file__).parents[2] / "docs" / "tables.md"


def test_the_page_is_what_the_classes_say() -> None:
    assert PAGE.read_text() == reference() + "\n", "powerauth db structure > docs/tables.md"


@pytest.mark.parametrize("service", PACKAGES)
def test_every_column_has_a_meaning(service: str) -> None:
    columns = list(columns_of(service))
    assert len(columns) > 50
    assert [f"{column.table}.{column.name}" for column in columns if not column.meaning.strip()] == []


def test_a_meaning_that_holds_everywhere_is_used() -> None:
    used = {column.name for service in PACKAGES for column in columns_of(service)}
    assert EVERYWHERE.keys() - used == set()
