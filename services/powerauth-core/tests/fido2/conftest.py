"""The web desk of a bank, and its users' authenticators."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio
from core_test_api import Api, TestApplication, client_of
from core_test_desk import STRICT, TEMPLATE, Desk
from fastapi import FastAPI

from powerauth_contracts.enums import IntegrationKind
from powerauth_core.container import Core


@pytest_asyncio.fixture
async def desk(app: FastAPI, core: Core, api: Api, application: TestApplication) -> AsyncIterator[Desk]:
    """A bank with two templates, and no passkey yet."""
    for template in (TEMPLATE, STRICT):
        await api.ok("operation/template/create", **template)
    async with client_of(app, core, "/fido2", IntegrationKind.REST) as client:
        yield Desk(core, api, client, application)
