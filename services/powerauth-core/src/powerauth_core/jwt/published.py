"""What everybody may read: keys and discovery documents (spec/device-trust.md §2.5)."""

from __future__ import annotations

from typing import Any

from powerauth_contracts.enums import ClientAuthMethod
from powerauth_core.jwt import rules
from powerauth_core.jwt.client_authentication import ASSERTION_ALGORITHMS, TOKEN_PATH
from powerauth_core.jwt.key_administration import KeyOwner
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.rules import TOKEN_GRANTS
from powerauth_core.kernel.errors import InvalidApplication


async def jwks(ports: Ports, application_id: str | None) -> list[dict[str, Any]]:
    """The published keys of an application that has its own, or of all others; the first call makes these.

    :raises InvalidApplication: unknown application, or one without keys of its own; or no tokens are issued
    """
    if not ports.settings.jwt_issuer:
        raise InvalidApplication
    async with ports.database.read() as session:
        owner = await KeyOwner.of(ports, session, application_id)
        ring = await ports.jwt_keys.known(session, owner.scope)
    if ring is None:
        if owner.scope is not None:
            raise InvalidApplication
        async with ports.database.transaction() as session:
            ring = await ports.jwt_keys.ring(session, None)
    return ring.jwks


async def discovery(ports: Ports, application_id: str | None) -> dict[str, Any]:
    """The discovery document of an issuer; raises as `jwks`."""
    await jwks(ports, application_id)
    base = ports.settings.jwt_issuer
    issuer = rules.issuer_of(base, application_id)
    return {
        "issuer": issuer,
        "jwks_uri": f"{issuer}/oidc/jwks",
        "token_endpoint": f"{base}{TOKEN_PATH}",
        "introspection_endpoint": f"{base}{TOKEN_PATH}/introspection",
        "revocation_endpoint": f"{base}{TOKEN_PATH}/revocation",
        "userinfo_endpoint": f"{base}/oidc/userinfo",
        "grant_types_supported": [grant.value for grant in TOKEN_GRANTS],
        "response_types_supported": [],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": [rules.ALGORITHM],
        "token_endpoint_auth_methods_supported": [method.value for method in ClientAuthMethod],
        "token_endpoint_auth_signing_alg_values_supported": list(ASSERTION_ALGORITHMS),
        "claims_supported": sorted(rules.RESERVED_CLAIMS - {"azp", "act", "params", "nbf"}),
        "scopes_supported": [*rules.SCOPE_CLAIMS, rules.OFFLINE_ACCESS],
        "acr_values_supported": list(rules.ACR_VALUES),
    }
