"""HTTP side of the administration of passkeys.

What judges passkeys reads certificates; it is loaded with the first call, for a start would pay dearly.
"""

# ruff: noqa: PLC0415

from __future__ import annotations

from powerauth_contracts.rest import passkeys as contract
from powerauth_core.kernel.call_routes import CallRouter
from powerauth_core.passkey_administration import views
from powerauth_core.passkey_administration.ports import Ports

router = CallRouter("Passkeys")


@router.answers(contract.POLICY_DETAIL)
async def policy_detail(ports: Ports, asked: contract.PolicyRequest) -> contract.PolicyDetail:
    from powerauth_core.passkey_administration import policy_service

    return views.policy_detail(asked.application_id, await policy_service.detail(ports, asked.application_id))


@router.answers(contract.POLICY_IMPACT)
async def policy_impact(ports: Ports, asked: contract.PolicyImpactRequest) -> contract.PolicyImpact:
    from powerauth_core.passkey_administration import policy_service

    found = await policy_service.propose(ports, asked.application_id, asked.policy)
    return contract.PolicyImpact.model_validate(found.members())


@router.answers(contract.POLICY_UPDATE)
async def update_policy(ports: Ports, asked: contract.UpdatePolicyRequest) -> contract.PolicyDetail:
    from powerauth_core.passkey_administration import policy_service

    consent = policy_service.Consent(
        confirmation=asked.confirmation,
        force=asked.force,
        version=asked.version,
        changed_by=asked.external_user_id,
    )
    found = await policy_service.update(ports, asked.application_id, asked.policy, consent)
    return views.policy_detail(asked.application_id, found)


@router.answers(contract.LIST)
async def list_passkeys(ports: Ports, asked: contract.ListPasskeysRequest) -> contract.ListPasskeysResponse:
    from powerauth_core.passkey_administration import service

    found = await service.of_user(ports, asked.user_id, asked.application_ids)
    return contract.ListPasskeysResponse(passkeys=[views.passkey_item(one) for one in found])


@router.answers(contract.REMOVE)
async def remove(ports: Ports, asked: contract.RemovePasskeyRequest) -> contract.RemovePasskeyResponse:
    from powerauth_core.passkey_administration import service

    await service.remove(
        ports,
        activation_id=asked.activation_id,
        external_user_id=asked.external_user_id,
        scope=asked.application_ids,
    )
    return contract.RemovePasskeyResponse(activation_id=asked.activation_id, removed=True)


@router.answers(contract.STATISTICS)
async def statistics(ports: Ports, asked: contract.PolicyRequest) -> contract.PasskeyStatistics:
    from powerauth_core.passkey_administration import service

    return views.statistics(await service.statistics(ports, asked.application_id))
