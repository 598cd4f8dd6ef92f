"""The bank's side of the demo: a plain HTTP client of the cloud API (spec/cloud-api.md)."""

from __future__ import annotations

import ssl
from base64 import b64encode
from typing import Any

import httpx2


class BankRefused(RuntimeError):
    """The cloud API answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"HTTP {status} {code}: {message}")
        self.status = status
        self.code = code


class Bank:
    """A caller of the cloud API with one user's credentials.

    :param verify: what the API's certificate is checked with; True: the system's trust anchors
    """

    def __init__(
        self, base_url: str, username: str, password: str, verify: ssl.SSLContext | bool = True
    ) -> None:
        self._http = httpx2.AsyncClient(
            base_url=base_url, auth=(username, password), timeout=30.0, verify=verify
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def call(self, method: str, path: str, content: object = None, **query: str) -> dict[str, Any]:
        """Send one request and return the JSON of the answer.

        :raises BankRefused: the answer is an error
        """
        response = await self._http.request(method, path, json=content, params=query or None)
        answer: dict[str, Any] = response.json()
        if response.status_code != 200:
            error = answer.get("responseObject", {})
            raise BankRefused(response.status_code, error.get("code", ""), error.get("message", ""))
        return answer

    async def verify_signature(self, method: str, uri_id: str, header: str, body: bytes) -> dict[str, Any]:
        """Ask whether a signed request of the phone to the bank is authentic."""
        content = {
            "method": method,
            "uriId": uri_id,
            "authHeader": header,
            "requestBody": b64encode(body).decode(),
        }
        return await self.call("POST", "/v2/signature/verify", content)

    async def create_operation(self, user_id: str, template: str, **more: object) -> dict[str, Any]:
        """Ask the user's phone for a decision; `silent` unless said otherwise: nothing rings."""
        content = {"userId": user_id, "template": template, "silent": True, **more}
        return await self.call("POST", "/v2/operations", content)

    async def operation(self, operation_id: str) -> dict[str, Any]:
        """Read an operation."""
        return await self.call("GET", f"/v2/operations/{operation_id}")

    async def registration(self, registration_id: str) -> dict[str, Any]:
        """Read a registration."""
        return await self.call("GET", f"/v2/registrations/{registration_id}")
