"""Answers about signed tokens, their keys and clients."""

from __future__ import annotations

from powerauth_contracts.rest import jwt as contract
from powerauth_core.jwt import rules
from powerauth_core.jwt.key_administration import public_jwk_of
from powerauth_core.jwt.models import JwtKey, OidcClient
from powerauth_core.jwt.tokens import Issued
from powerauth_protocol.common.json_text import read_json


def token_answer(issued: Issued) -> contract.TokenAnswer:
    """Tokens."""
    return contract.TokenAnswer(
        access_token=issued.access_token,
        id_token=issued.id_token,
        refresh_token=issued.refresh_token,
        expires_in=issued.expires_in,
        session_id=issued.session_id,
        scope=issued.scope,
    )


def key_detail(row: JwtKey, application_id: str | None) -> contract.SigningKeyDetail:
    """A signing key."""
    return contract.SigningKeyDetail(
        id=row.id,
        application_id=application_id,
        kid=row.kid,
        name=row.name,
        status=row.status,
        source=row.source,
        public_jwk=public_jwk_of(row),
        timestamp_created=row.timestamp_created,
        timestamp_signing_from=row.timestamp_signing_from,
        timestamp_retired=row.timestamp_retired,
    )


def client_detail(row: OidcClient, application_id: str) -> contract.ClientDetail:
    """A client."""
    return contract.ClientDetail(
        client_id=row.client_id,
        application_id=application_id,
        auth_method=row.auth_method,
        grant_types=list(rules.words(row.grant_types)),
        scopes=list(rules.words(row.scopes)),
        resources=list(rules.words(row.resources)),
        jwks=None if row.jwks is None else read_json(row.jwks),
        access_token_typ=row.access_token_typ,
        use_app_keys=bool(row.use_app_keys),
        default_claims=None if row.default_claims is None else read_json(row.default_claims),
        access_ttl=row.access_ttl,
        id_ttl=row.id_ttl,
        refresh_ttl=row.refresh_ttl,
        timestamp_created=row.timestamp_created,
    )


def client_secret_detail(
    row: OidcClient, application_id: str, secret: str | None
) -> contract.ClientSecretDetail:
    """A client with its new secret."""
    shown = client_detail(row, application_id)
    return contract.ClientSecretDetail(**dict(shown), client_secret=secret)
