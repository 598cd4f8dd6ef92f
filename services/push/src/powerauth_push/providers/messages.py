"""What is sent, and to which phone (spec/push-api.md §9). Moments are naive UTC."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class Priority(StrEnum):
    """How urgent a message is."""

    HIGH = "HIGH"
    NORMAL = "NORMAL"


class Environment(StrEnum):
    """Which of Apple's services knows a token."""

    DEVELOPMENT = "development"
    PRODUCTION = "production"


@dataclass(frozen=True, slots=True)
class Content:
    """The `body` of a message. Its text is no business of a log.

    :ivar valid_until: the message is worth nothing from then on; None: the provider's default
    :ivar extras: values as JSON knows them, for the app
    """

    title: str | None = field(default=None, repr=False)
    title_loc_key: str | None = None
    title_loc_args: tuple[str, ...] = field(default=(), repr=False)
    body: str | None = field(default=None, repr=False)
    body_loc_key: str | None = None
    body_loc_args: tuple[str, ...] = field(default=(), repr=False)
    icon: str | None = None
    badge: int | None = None
    sound: str | None = None
    category: str | None = None
    collapse_key: str | None = None
    valid_until: datetime | None = None
    extras: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """Content with its attributes.

    :ivar silent: for the app alone, nothing is shown
    :ivar personal: only for active registrations; whoever chooses devices sees to it, it is not on the wire
    """

    content: Content
    priority: Priority = Priority.HIGH
    silent: bool = False
    personal: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """A phone as its registration knows it.

    :ivar token: as the provider gave it to the app
    :ivar environment: what the app said at registration; APNs only
    :ivar registered_at: of the last registration; None: unknown
    """

    token: str = field(repr=False)
    environment: Environment | None = None
    registered_at: datetime | None = None


def resolved_environment(
    device: Environment | None, application: Environment | None, *, use_development: bool
) -> Environment | None:
    """Which of Apple's services a device is reached by (spec/push-api.md §10.1).

    :param application: of the application's credentials
    :param use_development: of the installation
    :return: None: the device is of development and the application is not
    """
    default = Environment.DEVELOPMENT if use_development else Environment.PRODUCTION
    base = application or default
    if device is None or device is base:
        return base
    return Environment.PRODUCTION if device is Environment.PRODUCTION else None
