"""The texts of a notification as FCM and HMS name them, which is alike (spec/push-api.md §13)."""

from __future__ import annotations

from typing import Any

from powerauth_push.providers.messages import Content


def texts(content: Content) -> dict[str, Any]:
    """Title, body, their localised forms, icon and tag, without what is not set.

    Arguments without their key mean nothing and are left out.
    """
    members: dict[str, Any] = {}
    if content.title is not None:
        members["title"] = content.title
    if content.title_loc_key is not None:
        members["title_loc_key"] = content.title_loc_key
        if content.title_loc_args:
            members["title_loc_args"] = content.title_loc_args
    if content.body is not None:
        members["body"] = content.body
    if content.body_loc_key is not None:
        members["body_loc_key"] = content.body_loc_key
        if content.body_loc_args:
            members["body_loc_args"] = content.body_loc_args
    if content.icon is not None:
        members["icon"] = content.icon
    if content.category is not None:
        members["tag"] = content.category
    return members
