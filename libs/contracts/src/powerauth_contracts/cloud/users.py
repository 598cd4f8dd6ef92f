"""Wire models of system users (spec/cloud-api.md §2.3, §11.2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from powerauth_contracts.wire import RequestModel, WireModel

Role = Literal["ROLE_USER", "ROLE_ADMIN"]
Username = Annotated[str, Field(pattern=r"^[A-Za-z0-9._@\-]{1,255}$")]


class CreateUser(RequestModel):
    """``POST /admin/users``."""

    username: Username
    role: list[Role] = Field(default=["ROLE_USER"])


class UpdateUser(RequestModel):
    """``PUT /admin/users/{username}``; what is missing stays."""

    enabled: bool | None = None
    role: list[Role] | None = None


class SystemUser(WireModel):
    """A user; ``password`` only in the answers that generate one."""

    username: str
    password: str | None = None
    enabled: bool
    role: list[str]
    applications: list[str]


class SystemUsers(WireModel):
    users: list[SystemUser]
