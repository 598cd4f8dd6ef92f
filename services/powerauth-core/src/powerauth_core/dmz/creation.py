"""Creating activations for devices: the core itself finds out whose they are (D1 rule 1,
enrollment-api §7).

A code belongs to a user; a PUK proves one; an identity provider or the operator's provider is asked by the
core. Nothing that the enrollment service says names a user or commits an activation. Both layers may stay
closed on their way through it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_contracts.dmz.models import (
    CreateActivationAnswer,
    CreateActivationRequest,
    SealedCreationAnswer,
    SealedCreationRequest,
)
from powerauth_contracts.enums import ActivationStatus
from powerauth_contracts.wire import json_bytes
from powerauth_core.activations import commit as commits
from powerauth_core.activations import flags
from powerauth_core.activations import repository as activations
from powerauth_core.activations.administration import remove_locked
from powerauth_core.activations.rules import is_blank, is_user_id
from powerauth_core.applications import config_service
from powerauth_core.applications.config_keys import AUTOMATIC_COMMIT
from powerauth_core.dmz import signed
from powerauth_core.dmz.ports import Ports
from powerauth_core.dmz.rules import commits_at_once
from powerauth_core.envelopes.handout import open_unspent
from powerauth_core.envelopes.service import ClosedEnvelope
from powerauth_core.envelopes.spending import Unspent
from powerauth_core.envelopes.views import sealed_fields
from powerauth_core.exchange import key_exchange, recovery
from powerauth_core.exchange.offer import Exchanged
from powerauth_core.kernel.errors import CoreError, InvalidRequest
from powerauth_core.providers import plug_ins as providers
from powerauth_core.providers.plug_ins import (
    ActivationProvider,
    ActivationType,
    Asked,
    ClaimsContext,
    Completion,
    Created,
    Plan,
    ProviderFailed,
    Stage,
)
from powerauth_core.settings import CoreSettings
from servicekit import clock

OIDC = "oidc"
_LAYER_1 = ("type", "identityAttributes", "customAttributes", "activationData")
_STAGES: dict[ActivationType, Stage] = {
    "CODE": Stage.CODE,
    "CUSTOM": Stage.CUSTOM,
    "RECOVERY": Stage.RECOVERY,
}


@dataclass(slots=True)
class Finished:
    """A key exchange with what its type goes on to do.

    :ivar kind: type as providers see it
    :ivar custom_attributes: for the answer
    :ivar status: state after a commit, if there was one
    :ivar user_info: claims for the answer
    """

    exchanged: Exchanged
    kind: ActivationType
    custom_attributes: dict[str, Any]
    status: ActivationStatus
    user_info: dict[str, Any] | None = None


async def create(ports: Ports, request: CreateActivationRequest) -> CreateActivationAnswer:
    """``activation/create``; raises as `finished`."""
    created = await finished(ports, request)
    exchanged = created.exchanged
    return CreateActivationAnswer(
        activation_data=sealed_fields(exchanged.sealed),
        custom_attributes=created.custom_attributes,
        user_info=created.user_info,
        activation_id=exchanged.activation_id,
        application_id=exchanged.application_id,
        activation_status=created.status,
    )


async def create_sealed(ports: Ports, request: SealedCreationRequest) -> SealedCreationAnswer:
    """``sealed/activation/create``. The outer layer is accepted once, whatever comes of the inner one.

    :raises InvalidRequest: no envelope of its version, accepted before, or no layer 1 in it
    :raises CoreError: as `open_unspent` and `finished`
    """
    members = signed.parse_members(signed.body_bytes(request.body))
    outer = ClosedEnvelope(request.application_key, request.protocol_version, members).judged()
    opened, unspent = await open_unspent(ports, outer, request.application_key)
    try:
        created = await finished(ports, _layer1(request, opened.plaintext), unspent)
    except CoreError:
        await unspent.spend()
        raise
    exchanged = created.exchanged
    return SealedCreationAnswer(
        envelope=sealed_fields(opened.seal(_answer(created))),
        activation_id=exchanged.activation_id,
        application_id=exchanged.application_id,
        activation_status=created.status,
    )


async def finished(ports: Ports, request: CreateActivationRequest, outer: Unspent | None = None) -> Finished:
    """Create an activation by what its type proves.

    :param outer: layer 1, which is spent with the key exchange, or before anybody is asked; by the caller, if
        this fails
    :raises InvalidRequest: an attribute that the type needs is missing
    :raises RecoveryPukMismatch: wrong PUK; the answer names the PUK to enter
    :raises ProviderFailed: there is no provider for the type, or it refused
    :raises CoreError: layer 2 does not open, or the activation cannot be created
    """
    closed = ClosedEnvelope(request.application_key, request.protocol_version, request.activation_data)
    closed.judged()
    by_oidc = request.type == "DIRECT" and request.identity_attributes.get("method") == OIDC
    provider = providers.activation_provider(ports)
    if request.type == "CODE" and provider is None:
        created = await _by_code(ports, request, closed, outer)
    else:
        if outer is not None:
            await outer.spend()
        created = await (_by_oidc if by_oidc else _FLOWS[request.type])(ports, request, closed)
    exchanged = created.exchanged
    context = ClaimsContext(
        _STAGES[created.kind], exchanged.user_id, exchanged.activation_id, exchanged.application_id
    )
    created.user_info = await providers.user_claims(ports.settings, ports.egress, context)
    return created


async def _by_code(
    ports: Ports, request: CreateActivationRequest, closed: ClosedEnvelope, outer: Unspent | None = None
) -> Finished:
    """The code was issued for a user; whether it needs a commit was said then."""
    code = _attribute(request, "code")
    provider = providers.activation_provider(ports)
    plan = await _plan(ports.settings, provider, request, "CODE")
    exchanged = await key_exchange.prepare(
        ports, code=code, closed=closed, generate_recovery_codes=plan.generate_recovery_codes, outer=outer
    )
    completed = await _completion(ports, provider, request, "CODE", exchanged)
    if exchanged.activation_status is ActivationStatus.ACTIVE and provider is not None:
        await providers.notify(ports.settings, provider.committed(_created(request, "CODE", exchanged)))
    return Finished(exchanged, "CODE", completed.custom_attributes, exchanged.activation_status)


async def _by_recovery(ports: Ports, request: CreateActivationRequest, closed: ClosedEnvelope) -> Finished:
    """The PUK proves the user; the operator's provider says whether to commit, without one the
    configuration.
    """
    code, puk = _attribute(request, "recoveryCode"), _attribute(request, "puk")
    provider = providers.activation_provider(ports)
    plan = await _plan(ports.settings, provider, request, "RECOVERY")
    commit = False
    if provider is None:
        async with ports.database.read() as session:
            commit = await _commits(ports, session, request, "RECOVERY", word=None)
    exchanged = await recovery.create(
        ports,
        code=code,
        puk=puk,
        closed=closed,
        max_failure_count=plan.max_failed_attempts,
        generate_recovery_codes=plan.generate_recovery_codes,
        commit=commit,
    )
    return await _finish(ports, provider, request, "RECOVERY", exchanged)


async def _by_provider(ports: Ports, request: CreateActivationRequest, closed: ClosedEnvelope) -> Finished:
    """The operator's provider says whose the credentials are, and whether to commit."""
    provider = providers.activation_provider(ports)
    if provider is None:
        raise ProviderFailed()
    plan = await _plan(ports.settings, provider, request, "CUSTOM")
    if plan.user_id is None or not is_user_id(plan.user_id):
        raise ProviderFailed()
    expires = None
    if plan.validity_ms is not None:
        expires = clock.now() + timedelta(milliseconds=plan.validity_ms)
    exchanged = await key_exchange.create(
        ports,
        user_id=plan.user_id,
        closed=closed,
        expires=expires,
        max_failure_count=plan.max_failed_attempts,
        generate_recovery_codes=plan.generate_recovery_codes,
    )
    return await _finish(ports, provider, request, "CUSTOM", exchanged)


async def _by_oidc(ports: Ports, request: CreateActivationRequest, closed: ClosedEnvelope) -> Finished:
    """The identity provider names the user in an ID token that the core obtains itself; always committed."""
    from powerauth_core.providers import oidc  # noqa: PLC0415 - heavy, where devices log in by a provider

    user_id = await oidc.user_of(ports, request.application_key, request.identity_attributes)
    exchanged = await key_exchange.create(ports, user_id=user_id, closed=closed, commit=True)
    attributes = request.custom_attributes or {}
    return Finished(exchanged, "CUSTOM", attributes, exchanged.activation_status)


_FLOWS: dict[str, Callable[[Ports, CreateActivationRequest, ClosedEnvelope], Awaitable[Finished]]] = {
    "CODE": _by_code,
    "RECOVERY": _by_recovery,
    "CUSTOM": _by_provider,
    "DIRECT": _by_provider,
}


@dataclass(frozen=True, slots=True)
class _Completed:
    custom_attributes: dict[str, Any]
    commit: bool


async def _plan(
    settings: CoreSettings,
    provider: ActivationProvider | None,
    request: CreateActivationRequest,
    kind: ActivationType,
) -> Plan:
    if provider is None:
        return Plan()
    asked = Asked(
        type=kind,
        identity_attributes=request.identity_attributes,
        custom_attributes=request.custom_attributes or {},
    )
    return await providers.ask(settings, provider.plan(asked), Plan)


async def _finish(
    ports: Ports,
    provider: ActivationProvider | None,
    request: CreateActivationRequest,
    kind: ActivationType,
    exchanged: Exchanged,
) -> Finished:
    """What the provider adds to a finished key exchange: attributes, flags, and its word on the commit."""
    completed = await _complete_or_remove(ports, provider, request, kind, exchanged)
    status = exchanged.activation_status
    if provider is not None and await _commit(ports, request, kind, exchanged, completed):
        status = ActivationStatus.ACTIVE
        await providers.notify(ports.settings, provider.committed(_created(request, kind, exchanged)))
    return Finished(exchanged, kind, completed.custom_attributes, status)


async def _complete_or_remove(
    ports: Ports,
    provider: ActivationProvider | None,
    request: CreateActivationRequest,
    kind: ActivationType,
    exchanged: Exchanged,
) -> _Completed:
    """A device that is told of a failure must not leave a usable activation behind (spec/enrollment-api.md
    §6.3).
    """
    try:
        return await _completion(ports, provider, request, kind, exchanged)
    except CoreError:
        async with ports.database.transaction() as session:
            activation = await activations.lock(session, exchanged.activation_id)
            if activation is not None:
                await remove_locked(ports.changes, session, activation, revoke_recovery_codes=True)
        raise


async def _completion(
    ports: Ports,
    provider: ActivationProvider | None,
    request: CreateActivationRequest,
    kind: ActivationType,
    exchanged: Exchanged,
) -> _Completed:
    attributes = request.custom_attributes or {}
    if provider is None:
        return _Completed(attributes, commit=False)
    completion = await providers.ask(
        ports.settings, provider.complete(_created(request, kind, exchanged)), Completion
    )
    if any(is_blank(flag) for flag in completion.flags):
        raise ProviderFailed()
    if completion.flags:
        await flags.change_flags(
            ports.database,
            ports.application_cache,
            flags.added,
            activation_id=exchanged.activation_id,
            flags=completion.flags,
        )
    if completion.custom_attributes is not None:
        attributes = completion.custom_attributes
    return _Completed(attributes, completion.commit)


async def _commits(
    ports: Ports,
    session: AsyncSession,
    request: CreateActivationRequest,
    kind: ActivationType,
    *,
    word: bool | None,
) -> bool:
    """Whether an activation of the request's application is committed without the bank's call (D1 rule 1)."""
    application = await ports.application_cache.by_key(session, request.application_key)
    configured = None
    if application is not None:
        configured = await config_service.values_of(
            ports.cipher, session, application.application_rid, application.application_id, AUTOMATIC_COMMIT
        )
    return commits_at_once(kind, word=word, configured=configured, recovery=ports.settings.commits_recovery)


async def _commit(
    ports: Ports,
    request: CreateActivationRequest,
    kind: ActivationType,
    exchanged: Exchanged,
    completed: _Completed,
) -> bool:
    async with ports.database.transaction() as session:
        if not await _commits(ports, session, request, kind, word=completed.commit):
            return False
        activation = await activations.lock(session, exchanged.activation_id)
        if activation is None or not commits.commits_unasked(activation):
            return False
        await commits.commit_locked(ports.hashes, ports.changes, session, activation)
    return True


def _created(request: CreateActivationRequest, kind: ActivationType, exchanged: Exchanged) -> Created:
    return Created(
        type=kind,
        identity_attributes=request.identity_attributes,
        custom_attributes=request.custom_attributes or {},
        activation_id=exchanged.activation_id,
        user_id=exchanged.user_id,
        application_id=exchanged.application_id,
    )


def _attribute(request: CreateActivationRequest, name: str) -> str:
    value = request.identity_attributes.get(name)
    if value is None or is_blank(value):
        raise InvalidRequest(f"requestObject.identityAttributes.{name} - must not be blank")
    return value


def _layer1(request: SealedCreationRequest, plaintext: bytes) -> CreateActivationRequest:
    """What the device says, of the application and in the version that the envelope has proved."""
    said = signed.parse_members(plaintext)
    proved = {"applicationKey": request.application_key, "protocolVersion": request.protocol_version}
    try:
        return CreateActivationRequest.model_validate({name: said.get(name) for name in _LAYER_1} | proved)
    except ValidationError:
        raise InvalidRequest() from None


def _answer(created: Finished) -> bytes:
    """Layer 1 of the answer; members that are None are written (D19)."""
    return json_bytes(
        {
            "activationData": sealed_fields(created.exchanged.sealed),
            "customAttributes": created.custom_attributes,
            "userInfo": created.user_info,
        }
    )
