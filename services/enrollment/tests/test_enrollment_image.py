"""What the image of the enrollment service is built from (enrollment-api §2.1: no database, no broker)."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FORBIDDEN = re.compile(
    r"sqlalchemy|alembic|asyncpg|aiosqlite|psycopg|pg8000|mysql|mariadb|oracledb|cx-oracle|pyodbc|pymssql|mongo|"
    r"aio-?pika|aiormq|kafka|pika"
)


def locked(name: str) -> set[str]:
    """Names of the locked requirements of a file, normalised."""
    text = (ROOT / "requirements" / name).read_text()
    names = re.findall(r"^([A-Za-z0-9][A-Za-z0-9._-]*)", text, re.MULTILINE)
    return {re.sub(r"[._]", "-", found).lower() for found in names}


def test_the_image_holds_no_database_driver_and_no_broker_client() -> None:
    image = locked("enrollment.txt")
    assert {"fastapi", "cryptography", "limits"} <= image
    assert {name for name in image if FORBIDDEN.search(name)} == set()
    # The pattern would have noticed: what all services need together holds them.
    everything = {name for name in locked("runtime.txt") if FORBIDDEN.search(name)}
    assert {"sqlalchemy", "asyncpg", "aio-pika"} <= everything
