"""Wire models of the system calls (spec/core-api.md §4)."""

from types import NoneType
from typing import Literal

from pydantic import Field

from powerauth_contracts.calls import Call
from powerauth_contracts.wire import CoreDateTime, WireModel


class SystemStatus(WireModel):
    """``status``."""

    status: Literal["OK"] = "OK"
    application_name: str
    application_display_name: str
    application_environment: str
    version: str = Field(description="the original's release whose API this is")
    product_version: str
    build_time: CoreDateTime
    timestamp: CoreDateTime


class ErrorModel(WireModel):
    """One error code with its English message."""

    code: str
    value: str


class ErrorList(WireModel):
    """``error/list``."""

    errors: list[ErrorModel]


STATUS = Call("/rest/v3/status", NoneType, SystemStatus, "Name and version of this installation.")
ERROR_LIST = Call(
    "/rest/v3/error/list", NoneType, ErrorList, "All error codes with their messages; always English."
)
