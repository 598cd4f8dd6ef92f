"""Wire models of system users (spec/cloud-api.md §2.3, §11.2)."""

from __future__ import annotations

from types import NoneType
from typing import Annotated, Literal

from pydantic import Field

from powerauth_contracts.calls import Endpoint
from powerauth_contracts.wire import RequestModel, StatusResponse, WireModel

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


CREATE_USER = Endpoint("createUser", "POST", "/admin/users", CreateUser, SystemUser)
LIST_USERS = Endpoint("listUsers", "GET", "/admin/users", NoneType, SystemUsers)
GET_USER = Endpoint("getUser", "GET", "/admin/users/{username}", NoneType, SystemUser)
UPDATE_USER = Endpoint("updateUser", "PUT", "/admin/users/{username}", UpdateUser, SystemUser)
DELETE_USER = Endpoint("deleteUser", "DELETE", "/admin/users/{username}", NoneType, StatusResponse)
RENEW_USER_PASSWORD = Endpoint(
    "renewUserPassword", "POST", "/admin/users/{username}/password", NoneType, SystemUser
)
ASSIGN_USER_APPLICATION = Endpoint(
    "assignUserApplication", "POST", "/admin/users/{username}/applications/{appId}", NoneType, SystemUser
)
UNASSIGN_USER_APPLICATION = Endpoint(
    "unassignUserApplication", "DELETE", "/admin/users/{username}/applications/{appId}", NoneType, SystemUser
)
