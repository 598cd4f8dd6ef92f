"""The routers of all domains, in the order in which the documentation lists them."""

from fastapi import APIRouter

from powerauth_core.activations.routes import router as activations
from powerauth_core.applications.routes import router as applications
from powerauth_core.audit.routes import router as audit
from powerauth_core.binding_tickets.routes import router as binding_tickets
from powerauth_core.callbacks.routes import router as callbacks
from powerauth_core.dmz.routes import door, examples
from powerauth_core.envelopes.routes import router as envelopes
from powerauth_core.exchange.routes import recovery_router as exchange_by_recovery
from powerauth_core.exchange.routes import router as exchange
from powerauth_core.fido2.routes import router as fido2
from powerauth_core.fido_metadata.routes import router as fido_metadata
from powerauth_core.integrations.routes import router as integrations
from powerauth_core.jwt.routes import router as signed_tokens
from powerauth_core.operations.routes import router as operations
from powerauth_core.passkey_administration.routes import router as passkey_administration
from powerauth_core.passkey_revalidation.routes import router as passkey_revalidation
from powerauth_core.recovery.routes import router as recovery
from powerauth_core.statements.routes import router as statements
from powerauth_core.system.routes import router as system
from powerauth_core.telemetry.routes import router as telemetry
from powerauth_core.templates.routes import router as templates
from powerauth_core.temporary_keys.routes import router as temporary_keys
from powerauth_core.tokens.routes import router as tokens
from powerauth_core.upgrade.routes import router as upgrade
from powerauth_core.vault.routes import router as vault
from powerauth_core.verification.routes import router as verification

ROUTERS = (
    system,
    applications,
    callbacks,
    integrations,
    activations,
    exchange,
    exchange_by_recovery,
    recovery,
    verification,
    vault,
    tokens,
    envelopes,
    temporary_keys,
    upgrade,
    operations,
    templates,
    fido2,
    audit,
    telemetry,
    fido_metadata,
    passkey_revalidation,
    door,
    statements,
    passkey_administration,
    signed_tokens,
    binding_tickets,
)


def routers_of(environment: str) -> tuple[APIRouter, ...]:
    """What is served in an environment: the example resources outside production only (D1 rule 4)."""
    return ROUTERS if environment == "production" else (*ROUTERS, examples)


def dmz_routers_of(environment: str) -> tuple[APIRouter, ...]:
    """Those of them that enrollment calls, which may have a port of their own."""
    return tuple(router for router in routers_of(environment) if router in (door, examples))
