"""Who an activation with credentials is for, decided against a file of customers.

The file, named by ``BANK_CUSTOMERS_FILE``, is a JSON object: user id → ``{"secret": Argon2 text, "flags":
[…], "commit": true}``. It stands for whatever a bank asks: its identity service, its branch system.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from powerauth_core.providers.plug_ins import Asked, Completion, Created, Owned, Plan, ProviderFailed, Removal
from powerauth_protocol.common.password_hash import hash_password, verify_password
from servicekit.logs import get_logger

_log = get_logger("bank_activation")
_NOBODY = hash_password(os.urandom(16).hex())
"""Compared with when the user is unknown, so that the time taken does not tell."""


class Provider:
    """The plug-in; made once per process, without parameters."""

    def __init__(self) -> None:
        self._file = Path(os.environ["BANK_CUSTOMERS_FILE"])

    async def plan(self, asked: Asked) -> Plan:
        """Tell whose the credentials are; called for activations by code and by recovery code too."""
        if asked.type != "CUSTOM":
            return Plan()
        username = asked.identity_attributes.get("username", "")
        secret = asked.identity_attributes.get("secret", "")
        customer = self._customer(username)
        expected = _NOBODY if customer is None else customer["secret"]
        right = await asyncio.to_thread(verify_password, secret, expected)
        if customer is None or not right:
            raise ProviderFailed()
        return Plan(
            user_id=username, max_failed_attempts=3, validity_ms=60_000, generate_recovery_codes=False
        )

    async def complete(self, created: Created) -> Completion:
        """Answer with attributes for the app, flags for the activation, and whether to commit at once."""
        customer = self._customer(created.user_id) or {}
        return Completion(
            custom_attributes=created.custom_attributes | {"greeting": f"Welcome, {created.user_id}"},
            flags=customer.get("flags", []),
            commit=bool(customer.get("commit")),
        )

    async def committed(self, created: Created) -> None:
        """Hear of the commit."""
        _log.info("customer activated a phone", activation_id=created.activation_id)

    async def plan_removal(self, owned: Owned) -> Removal:
        """Decide about recovery codes when a phone removes itself."""
        return Removal(revoke_recovery_codes=True)

    async def removed(self, owned: Owned) -> None:
        """Hear of the removal."""
        _log.info("customer removed a phone", activation_id=owned.activation_id)

    def _customer(self, username: str) -> dict[str, Any] | None:
        customers: dict[str, dict[str, Any]] = json.loads(self._file.read_text())
        return customers.get(username)
