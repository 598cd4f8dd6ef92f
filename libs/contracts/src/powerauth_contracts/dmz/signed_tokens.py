"""Wire models of the public token endpoints at the core's second door (spec/device-trust.md §0.1, §2.5; D1).

The public request passes enrollment untouched, with whatever the caller proves himself by; the core reads it.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from powerauth_contracts.wire import ExactText, RequestModel, WireModel

MAX_FORM = 32_768
MAX_AUTHORIZATION = 9_000


class FormRequest(RequestModel):
    """``jwt/token``, ``jwt/introspect``, ``jwt/revoke``: the form's text and the header ``Authorization``."""

    form: Annotated[ExactText, Field(max_length=MAX_FORM, repr=False)]
    authorization: Annotated[ExactText, Field(max_length=MAX_AUTHORIZATION)] | None = Field(
        default=None, repr=False
    )


class UserInfoRequest(RequestModel):
    """``jwt/user-info``."""

    authorization: Annotated[ExactText, Field(max_length=MAX_AUTHORIZATION)] | None = Field(
        default=None, repr=False
    )


class OAuthAnswer(WireModel):
    """What the endpoint answers: HTTP status, JSON object, and ``WWW-Authenticate`` where there is one."""

    status: int
    content: dict[str, Any] | None = Field(default=None, repr=False)
    authenticate: str | None = None


class PublishedRequest(RequestModel):
    """``jwks`` and ``jwt/discovery``: of an application's own keys, or of those of all others.

    ``etag``: what the caller has of it.
    """

    application_id: Annotated[ExactText, Field(max_length=255)] | None = None
    etag: Annotated[ExactText, Field(max_length=128)] | None = None


class PublishedAnswer(WireModel):
    """The document, unless the caller has it."""

    etag: str
    not_modified: bool
    document: dict[str, Any] | None = None
