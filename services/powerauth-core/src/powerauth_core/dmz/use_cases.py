"""What answers each call of the dmz door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from pydantic import BaseModel

from powerauth_contracts.calls import Call
from powerauth_contracts.dmz import table
from powerauth_core.dmz import (
    activations,
    applications,
    creation,
    envelopes,
    exchange,
    keys,
    operations,
    passkeys,
    profile,
    signed,
    signed_tokens,
    spawn,
    status,
    tokens,
)
from powerauth_core.temporary_keys.views import create_temporary_key

UseCase = Callable[[Any, Any], Awaitable[BaseModel]]
"""Takes the ports of its room and the request's model, and opens its own transaction."""

USE_CASES: Mapping[Call[Any, Any], UseCase] = {
    table.KEYSTORE_CREATE: create_temporary_key,
    table.ENVELOPE_KEYS: envelopes.envelope_keys,
    table.ACTIVATION_CREATE: creation.create,
    table.ACTIVATION_CREATE_SEALED: creation.create_sealed,
    table.ACTIVATION_STATUS: status.status,
    table.APPLICATION_PUBLIC: applications.public,
    table.TEXTS: applications.texts,
    table.VERIFY: signed.verify,
    table.OPERATION_APPROVE: operations.approve,
    table.OPERATION_REJECT: operations.reject,
    table.OPERATION_HISTORY: operations.history,
    table.TOKEN_REMOVE: activations.remove_token,
    table.ACTIVATION_REMOVE: activations.remove,
    table.UPGRADE_COMMIT: activations.commit_upgrade,
    table.TOKEN_CREATE: keys.create_token,
    table.VAULT_UNLOCK: keys.unlock_vault,
    table.RECOVERY_CONFIRM: keys.confirm_recovery_code,
    table.UPGRADE_START: keys.start_upgrade,
    table.USER_INFO: profile.user_info,
    table.ACTIVATION_DETAIL: profile.detail,
    table.ACTIVATION_RENAME: profile.rename,
    table.SPAWN: spawn.spawn,
    table.OPERATION_LIST: tokens.list_operations,
    table.OPERATION_DETAIL: tokens.operation_detail,
    table.OPERATION_CLAIM: tokens.claim_operation,
    table.WHO_AM_I: tokens.who_am_i,
    table.JWT_TOKEN: signed_tokens.token,
    table.JWT_INTROSPECT: signed_tokens.introspect,
    table.JWT_REVOKE: signed_tokens.revoke,
    table.JWT_USER_INFO: signed_tokens.user_info,
    table.JWT_DISCOVERY: signed_tokens.discovery,
    table.JWKS: signed_tokens.jwks,
    table.PASSKEY_REGISTRATION_OPTIONS: passkeys.registration_options,
    table.PASSKEY_REGISTRATION: passkeys.register,
    table.PASSKEY_ASSERTION_OPTIONS: passkeys.assertion_options,
    table.PASSKEY_ASSERTION: passkeys.assert_passkey,
    table.PASSKEY_LIST: passkeys.list_own,
    table.PASSKEY_RENAME: passkeys.rename,
    table.PASSKEY_REMOVE: passkeys.remove,
    table.EXCHANGE_ACTIVATION: exchange.echo,
    **exchange.ECHOES,
}
