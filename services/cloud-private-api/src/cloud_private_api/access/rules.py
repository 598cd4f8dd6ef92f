"""Authorisation: which path needs what, and which applications a caller may name (spec/cloud-api.md §1.4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from cloud_private_api.errors import CloudError, Forbidden, InvalidRequest, Violation

ROLE_USER = "ROLE_USER"
ROLE_ADMIN = "ROLE_ADMIN"
ROLES = frozenset({ROLE_USER, ROLE_ADMIN})

_ADMIN_PREFIX = "/admin/"
_APPLICATION_ADMIN_PREFIXES = ("/v2/admin/applications/{appId}/", "/loginPreferences/{appId}")


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller.

    :ivar applications: the applications assigned to it, "A" of the specification; a role adds none
    """

    username: str
    authorities: frozenset[str]
    applications: tuple[str, ...]

    @property
    def is_admin(self) -> bool:
        """Whether the caller has ``ROLE_ADMIN``."""
        return ROLE_ADMIN in self.authorities


class Requirement(Enum):
    """What a path asks of its caller."""

    ANY_ROLE = auto()
    ADMIN = auto()
    APPLICATION_ADMIN = auto()


def requirement_of(path_template: str) -> Requirement:
    """What the path of a route needs, by its template."""
    if path_template.startswith(_ADMIN_PREFIX):
        return Requirement.ADMIN
    if path_template.startswith(_APPLICATION_ADMIN_PREFIXES):
        return Requirement.APPLICATION_ADMIN
    return Requirement.ANY_ROLE


def require(requirement: Requirement, caller: Caller, app_id: str | None) -> None:
    """Let the caller pass or not.

    :param app_id: ``{appId}`` of the path, where there is one
    :raises Forbidden: the caller lacks the role or the application
    """
    if requirement is Requirement.ADMIN:
        allowed, needed = caller.is_admin, ROLE_ADMIN
    elif requirement is Requirement.APPLICATION_ADMIN:
        allowed, needed = caller.is_admin or app_id in caller.applications, f"{ROLE_ADMIN} or the application"
    else:
        allowed, needed = not caller.authorities.isdisjoint(ROLES), f"{ROLE_USER} or {ROLE_ADMIN}"
    if not allowed:
        raise Forbidden(
            f"needs {needed}, the caller has {' and '.join(sorted(caller.authorities)) or 'no role'}"
        )


def one_application(
    caller: Caller,
    app_id: str | None,
    *,
    refusal: type[CloudError] | None = None,
    empty: type[CloudError] | None = None,
    parameter: bool = False,
) -> str:
    """The application that a request is about: the named one, or the caller's only one.

    :param refusal: what to raise when the named application is not the caller's, by default `InvalidRequest`
    :param empty: what to raise when the caller has no application, by default `InvalidRequest`
    :param parameter: the application is named in the query
    :raises InvalidRequest: none is named and the caller has not exactly one
    """
    if not caller.applications and empty is not None:
        raise empty
    if app_id is None:
        if len(caller.applications) == 1:
            return caller.applications[0]
        raise InvalidRequest(Violation("appId", "must not be null", parameter=parameter))
    if app_id not in caller.applications:
        if refusal is not None and caller.applications:
            raise refusal
        raise _not_usable("appId", app_id, parameter)
    return app_id


def given_or_all(caller: Caller, applications: Sequence[str] | None) -> tuple[str, ...]:
    """The named applications, by default all of the caller's; without repetitions.

    :raises InvalidRequest: one of them is not the caller's, or there is none
    """
    chosen = caller.applications if applications is None else tuple(dict.fromkeys(applications))
    for app_id in chosen:
        if app_id not in caller.applications:
            raise _not_usable("applications", app_id, False)
    if not chosen:
        raise InvalidRequest(Violation("applications", "must not be empty"))
    return chosen


def narrowed(
    caller: Caller, app_id: str | None, *, refusal: type[CloudError] | None = None
) -> tuple[str, ...]:
    """All applications of the caller, or the one that a list is restricted to by its query.

    :raises InvalidRequest: the named application is not the caller's; or `refusal`, if given
    """
    if app_id is None:
        return caller.applications
    return (one_application(caller, app_id, refusal=refusal, parameter=True),)


def _not_usable(field: str, value: str, parameter: bool) -> InvalidRequest:
    return InvalidRequest(Violation(field, "is not an application of the caller", value, parameter))
