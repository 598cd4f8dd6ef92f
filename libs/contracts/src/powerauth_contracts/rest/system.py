"""Wire models of the system calls (spec/core-api.md §4)."""

from typing import Literal

from pydantic import Field

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
