"""Use cases of login preferences and passkeys (spec/device-trust.md §4.13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloud_private_api.access.rules import Caller, narrowed, one_application
from cloud_private_api.audit_log.service import record_change
from cloud_private_api.core_errors import Area, CoreCode, in_area
from cloud_private_api.errors import Forbidden, NotFound, PolicyImpact, RegistrationNotFound
from cloud_private_api.parameters import is_core_id, is_storable
from cloud_private_api.passkey_administration import rules
from cloud_private_api.passkey_administration.ports import Ports
from powerauth_contracts.cloud.passkeys import (
    LoginPreferences,
    PasskeyImpact,
    Passkeys,
    PasskeyStatistics,
)
from powerauth_contracts.rest import passkeys as contract
from powerauth_contracts.texts import CoreRefused

_OF_THE_CORE = frozenset({"message", "localizedMessage"})


@in_area(Area.PASSKEYS)
async def preferences(ports: Ports, app_id: str) -> LoginPreferences:
    """The passkey policy of an application."""
    found = await ports.core.ask(contract.POLICY_DETAIL, application_id=_checked(app_id))
    return rules.preferences(found)


@in_area(Area.PASSKEYS)
async def impact(ports: Ports, app_id: str, policy: Mapping[str, Any]) -> PasskeyImpact:
    """Who would lose passkeys by a policy; nothing is changed."""
    found = await ports.core.ask(contract.POLICY_IMPACT, application_id=_checked(app_id), policy=policy)
    return rules.impact(found)


@in_area(Area.PASSKEYS)
async def change(
    ports: Ports,
    caller: Caller,
    app_id: str,
    policy: Mapping[str, Any],
    *,
    confirmation: str | None,
    force: bool,
    version: int | None,
) -> LoginPreferences:
    """Replace the passkey policy of an application.

    :param version: that it is a change of; None: of whatever there is
    :raises Forbidden: it is forced by somebody who is no administrator
    :raises PolicyImpact: users lose passkeys, and the confirmation does not cover it
    """
    if force and not caller.is_admin:
        raise Forbidden("only ROLE_ADMIN forces a change that takes passkeys from users")
    try:
        found = await ports.core.ask(
            contract.POLICY_UPDATE,
            application_id=_checked(app_id),
            policy=policy,
            confirmation=confirmation,
            force=force,
            version=version,
            external_user_id=caller.username,
        )
    except CoreRefused as refusal:
        if refusal.code != CoreCode.POLICY_IMPACT:
            raise
        figures = {name: value for name, value in refusal.details.items() if name not in _OF_THE_CORE}
        raise PolicyImpact(extra=figures) from None
    params = {"application": app_id, "version": found.version, "new": found.policy, "forced": force}
    await record_change(ports.database, caller.username, "Passkey policy changed", params)
    return rules.preferences(found)


@in_area(Area.PASSKEYS)
async def of_user(ports: Ports, caller: Caller, *, user_id: str, app_id: str | None) -> Passkeys:
    """Passkeys of a user in the caller's applications, newest first."""
    scope = narrowed(caller, app_id)
    if not scope:
        return Passkeys(passkeys=[])
    found = await ports.core.ask(contract.LIST, user_id=user_id, application_ids=scope)
    return Passkeys(passkeys=[rules.passkey(item) for item in found.passkeys])


@in_area(Area.PASSKEYS)
async def remove(ports: Ports, caller: Caller, registration_id: str, *, external_user_id: str | None) -> None:
    """Remove a passkey of the caller's applications.

    :raises RegistrationNotFound: unknown, of another application, or no passkey
    """
    if not caller.applications or not is_core_id(registration_id):
        raise RegistrationNotFound
    await ports.core.tell(
        contract.REMOVE,
        activation_id=registration_id,
        external_user_id=external_user_id,
        application_ids=caller.applications,
    )


@in_area(Area.PASSKEYS)
async def statistics(ports: Ports, caller: Caller, app_id: str | None) -> PasskeyStatistics:
    """Numbers of the passkeys of one of the caller's applications."""
    name = one_application(caller, app_id, parameter=True)
    return rules.statistics(await ports.core.ask(contract.STATISTICS, application_id=name))


def _checked(app_id: str) -> str:
    if not is_storable(app_id) or not app_id.strip():
        raise NotFound
    return app_id
