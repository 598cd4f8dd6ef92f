"""The public token endpoints as the core answers them (spec/device-trust.md §2.5; RFC 6749, 7009, 7662)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from powerauth_contracts.dmz.signed_tokens import (
    FormRequest,
    OAuthAnswer,
    PublishedAnswer,
    PublishedRequest,
    UserInfoRequest,
)
from powerauth_core.jwt import grants, introspection, published
from powerauth_core.jwt.client_authentication import Client, authenticated, shown_client
from powerauth_core.jwt.ports import Ports
from powerauth_core.jwt.user_info import user_info as claims_of_user
from powerauth_core.kernel.base import json_text
from powerauth_core.kernel.token_errors import AccessTokenInvalid, GrantRefused
from powerauth_core.templates.rules import etag_of
from servicekit.callers import parse_bearer

_MAX_FIELDS = 40
_BASIC = 'Basic realm="oidc"'


async def token(ports: Ports, request: FormRequest) -> OAuthAnswer:
    """``jwt/token``."""
    try:
        issued = await grants.token(ports, request.authorization, form_members(request.form))
    except GrantRefused as refusal:
        return _refused(refusal)
    return OAuthAnswer(status=200, content=issued.response())


async def introspect(ports: Ports, request: FormRequest) -> OAuthAnswer:
    """``jwt/introspect``; a client that shows nothing is told nothing."""
    try:
        form = form_members(request.form)
        client = await _confidential(ports, request, form)
        told = await introspection.introspect(ports, client, _token_in(form))
    except GrantRefused as refusal:
        return _refused(refusal)
    return OAuthAnswer(status=200, content=dict(told))


async def revoke(ports: Ports, request: FormRequest) -> OAuthAnswer:
    """``jwt/revoke``; of tokens that are not the client's it says nothing."""
    try:
        form = form_members(request.form)
        client = await authenticated(ports, shown_client(request.authorization, form))
        await introspection.revoke(ports, client, _token_in(form))
    except GrantRefused as refusal:
        return _refused(refusal)
    return OAuthAnswer(status=200)


async def user_info(ports: Ports, request: UserInfoRequest) -> OAuthAnswer:
    """``jwt/user-info``."""
    try:
        token = parse_bearer(request.authorization)
        if not token:
            raise AccessTokenInvalid
        claims = await claims_of_user(ports, token)
    except AccessTokenInvalid:
        return OAuthAnswer(
            status=401, content={"error": "invalid_token"}, authenticate='Bearer error="invalid_token"'
        )
    return OAuthAnswer(status=200, content=claims)


async def jwks(ports: Ports, request: PublishedRequest) -> PublishedAnswer:
    """``jwks``.

    :raises InvalidApplication: unknown application, or one without keys of its own; or no tokens are issued
    """
    return _published(request, {"keys": await published.jwks(ports, request.application_id)})


async def discovery(ports: Ports, request: PublishedRequest) -> PublishedAnswer:
    """``jwt/discovery``; raises as `jwks`."""
    return _published(request, await published.discovery(ports, request.application_id))


def _published(request: PublishedRequest, document: Mapping[str, Any]) -> PublishedAnswer:
    current = etag_of([[json_text(dict(document))]])
    unchanged = request.etag == current
    return PublishedAnswer(
        etag=current, not_modified=unchanged, document=None if unchanged else dict(document)
    )


async def _confidential(ports: Ports, request: FormRequest, form: Mapping[str, str]) -> Client:
    client = await authenticated(ports, shown_client(request.authorization, form))
    if not client.is_confidential:
        raise GrantRefused("invalid_client", "client authentication failed")
    return client


def form_members(text: str) -> dict[str, str]:
    """The members of a form.

    :raises GrantRefused: it cannot be read, or one stands twice
    """
    try:
        members = parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=bool(text),
            max_num_fields=_MAX_FIELDS,
            errors="strict",
        )
    except ValueError:
        raise GrantRefused("invalid_request", "the form cannot be read") from None
    form = dict(members)
    if len(form) != len(members) or "\0" in text or any("\0" in value for value in form.values()):
        raise GrantRefused("invalid_request", "a member of the form stands twice, or is no text")
    return form


def _token_in(form: Mapping[str, str]) -> str:
    found = form.get("token")
    if not found:
        raise GrantRefused("invalid_request", "token is missing")
    return found


def _refused(refusal: GrantRefused) -> OAuthAnswer:
    content = {"error": refusal.error, "error_description": refusal.message}
    if refusal.error == "invalid_client":
        return OAuthAnswer(status=401, content=content, authenticate=_BASIC)
    return OAuthAnswer(status=400, content=content)
