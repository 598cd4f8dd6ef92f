"""Activations made directly at the core, so that what is measured afterwards is the core alone."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from powerauth_sdk.config import App
from powerauth_sdk.phone import Phone


class CoreApi:
    """The core's API, as a bank system inside the network calls it."""

    def __init__(self, base_url: str, auth: tuple[str, str]) -> None:
        self.base_url = base_url.rstrip("/")
        self.auth = auth
        self._http = httpx2.AsyncClient(auth=auth, timeout=60.0)

    async def call(self, path: str, **request: object) -> Any:
        """POST one request and return its response object.

        :raises RuntimeError: the core refused
        """
        response = await self._http.post(f"{self.base_url}/rest/v3/{path}", json={"requestObject": request})
        answer = response.json()
        if response.status_code != 200:
            raise RuntimeError(f"{path}: HTTP {response.status_code} {answer.get('responseObject')}")
        return answer.get("responseObject")

    async def post(self, path: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """The core as a phone sees it."""
        answer: dict[str, Any] = await self.call(path, **request)
        return answer

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()


@dataclass(frozen=True, slots=True)
class Application:
    """An application version of the measurement."""

    app: App
    sdk_config: str = field(repr=False)


@dataclass(slots=True)
class BenchPhone(Phone):
    """A phone that signs fast: its keys lie open, nothing is stored."""

    user_id: str = ""


async def create_application(core: CoreApi, application_id: str) -> Application:
    """Create an application, or read the one of that name."""
    known = {item["applicationId"] for item in (await core.call("application/list"))["applications"]}
    if application_id not in known:
        await core.call("application/create", applicationId=application_id)
    detail = await core.call("application/detail", applicationId=application_id)
    version = detail["versions"][0]
    texts = (version["applicationKey"], version["applicationSecret"], detail["masterPublicKey"])
    return Application(App.of(application_id, *texts), version["mobileSdkConfig"])


async def activate(core: CoreApi, application: Application, user_id: str) -> BenchPhone:
    """Initialise, exchange keys and commit one activation."""
    created = await core.call("activation/init", userId=user_id, applicationId=application.app.application_id)
    phone = BenchPhone(application.app, user_id=user_id)
    await phone.join(core.post, created["activationCode"])
    await core.call("activation/commit", activationId=phone.activation_id)
    return phone


def verify_body(phone: Phone, method: str, uri_id: str, body: bytes) -> bytes:
    """The body of a ``signature/verify`` call with the phone's next code."""
    request = phone.sign(body, uri_id=uri_id, method=method).request
    return json.dumps({"requestObject": request}, separators=(",", ":")).encode()
