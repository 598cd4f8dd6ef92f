"""Answers are others' words: read with care, and named out of lists of ours."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

LONGEST_PAUSE_SECONDS = 3600.0
"""However long a provider wants to be left alone: it may be wrong, and one request an hour is nothing."""
_SECONDS = re.compile(r"[0-9]{1,9}")


def json_object(body: bytes) -> dict[str, Any]:
    """The members of an answer; none if it is no JSON object."""
    try:
        members = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return members if isinstance(members, dict) else {}


def retry_after(value: str | None, now: datetime) -> float | None:
    """Seconds that a `Retry-After` header asks for; None: it is absent or makes no sense.

    :param value: seconds, or a date of HTTP
    :param now: naive UTC
    """
    if value is None:
        return None
    if _SECONDS.fullmatch(value.strip()):
        return min(float(value), LONGEST_PAUSE_SECONDS)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    seconds = (aware - now.replace(tzinfo=UTC)).total_seconds()
    return min(max(seconds, 0.0), LONGEST_PAUSE_SECONDS)
