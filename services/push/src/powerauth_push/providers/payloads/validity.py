"""Until when a message is worth sending (spec/push-api.md §10.3, §11.3)."""

from __future__ import annotations

from datetime import datetime, timedelta

from powerauth_push.providers.messages import Content

_SECOND = timedelta(seconds=1)


def is_over(content: Content, now: datetime) -> bool:
    """Whether less than a second is left: providers count in whole ones."""
    return content.valid_until is not None and content.valid_until - now < _SECOND


def seconds_left(content: Content, now: datetime, most: int) -> int | None:
    """Whole seconds from now to the end of a message that is not over.

    :param most: what the provider allows
    :return: None: the message has no end
    """
    if content.valid_until is None:
        return None
    return min((content.valid_until - now) // _SECOND, most)
