"""The form of cases: one sound request per call, what it leads to, and what spoils it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from core_world import Ref, World

Step = Callable[[World], Awaitable[None]]
Patch = Callable[[World, pytest.MonkeyPatch], None]


@dataclass(frozen=True, slots=True)
class Then:
    """A call afterwards and what its answer includes; the request may name members of the first call."""

    path: str
    request: dict[str, Any]
    answer: Any


@dataclass(frozen=True, slots=True)
class Bad:
    """A refusal.

    :ivar code: without ``ERR``
    :ivar change: members that differ from the sound request
    :ivar message: None for that of §28
    :ivar before: what happens before the request is made
    :ivar after: what happens between making and sending it
    :ivar extra: further members of the answer
    """

    code: str
    change: dict[str, Any] = field(default_factory=dict)
    message: str | None = None
    before: Step | None = None
    after: Step | None = None
    patch: Patch | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """A call's sound request, its answer, effects and refusals.

    :ivar answer: what the response object includes
    :ivar more: further sound requests: changed members and the answer
    """

    path: str
    sound: dict[str, Any] = field(default_factory=dict)
    answer: Any = field(default_factory=dict)
    then: tuple[Then, ...] = ()
    before: Step | None = None
    bad: tuple[Bad, ...] = ()
    more: tuple[tuple[dict[str, Any], Any], ...] = ()


def same(name: str) -> Ref:
    """A member of the first call's request or answer."""

    async def find(world: World) -> Any:
        return world.request[name] if name in world.request else world.answer[name]

    return find


def any_of(*values: Any) -> Callable[[Any], bool]:
    """One of the values."""
    return lambda actual: actual in values


def present(actual: Any) -> bool:
    """Anything but null."""
    return actual is not None


# -- what spoils a call --------------------------------------------------------------------------------------

OUT_OF_SCOPE = {"applicationIds": ["somebody-elses"]}


def out_of_scope(code: str, message: str | None = None) -> Bad:
    """The subject's application is none of those that the caller may touch (D21)."""
    return Bad(code, OUT_OF_SCOPE, message)


async def no_master_key(world: World) -> None:
    """The application loses its master key pair."""
    of_application = "(SELECT id FROM pa_application WHERE name = :app)"
    await world.sql(
        f"UPDATE pa_activation SET master_keypair_id = NULL WHERE application_id = {of_application}"
    )
    await world.sql(f"DELETE FROM pa_master_keypair WHERE application_id = {of_application}")


async def unreadable_master_key(world: World) -> None:
    """The application's master private key is damaged."""
    await world.sql(
        "UPDATE pa_master_keypair SET master_key_private_base64 = 'AAAA', master_key_private_encryption = 1"
        " WHERE application_id = (SELECT id FROM pa_application WHERE name = :app)"
    )


async def unsupported(world: World) -> None:
    """The application's version is not supported any more."""
    await world.ok(
        "application/version/unsupport",
        applicationId=world.app.application_id,
        applicationVersionId="default",
    )


async def unreadable_server_key(world: World) -> None:
    """The server private key of the device's activation is damaged."""
    await world.change(server_private_key_base64="AAAA", server_private_key_encryption=1)


async def fido2_now(world: World) -> None:
    """The device's activation is one of a passkey."""
    await world.change(protocol="fido2")


async def version_2(world: World) -> None:
    """The device's activation is of protocol version 2."""
    await world.change(version=2)


async def blocked(world: World) -> None:
    """The device's activation is blocked."""
    assert world.device is not None
    await world.ok("activation/block", activationId=world.device.activation_id)


async def temporary_keys_gone(world: World) -> None:
    """No temporary key is left."""
    await world.sql("DELETE FROM pa_temporary_key")


def patched(target: str, replacement: Any) -> Patch:
    """Replace something of the core: what cannot be brought about from outside."""

    def apply(_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(target, replacement)

    return apply


async def always(*_arguments: Any, **_named: Any) -> bool:
    """Every generated value is taken."""
    return True


async def never(*_arguments: Any, **_named: Any) -> bool:
    """No insert succeeds."""
    return False
