"""Every stored secret is known, and those that leave the core are bound to their address (D29)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel, SecretStr

from powerauth_contracts.callback_authentication import SECRET_FIELDS
from powerauth_contracts.rest.callbacks import UpdateCallbackUrlRequest
from powerauth_core import schema
from powerauth_core.providers.oidc import OidcProvider
from powerauth_core.secret_columns import SECRET_COLUMNS
from powerauth_core.settings import CoreSettings
from servicekit.kept_secrets import CALLBACK_SECRETS, OIDC_SECRETS

SENT_OUT = {
    "pa_application_callback.authentication": UpdateCallbackUrlRequest,
    "pa_application_config.config_values": OidcProvider,
}
"""Secret columns that hold what the core sends elsewhere, and the members that make them up."""
NEVER_SENT = {
    # Keys and secrets of ours: computed with, compared with, or handed to whom they belong; no address.
    "pa_activation.server_private_key_base64",
    "pa_application_version.application_secret",
    "pa_integration.client_secret",
    "pa_jwt_key.private_key",
    "pa_jwt_session.refresh_secret",
    "pa_master_keypair.master_key_private_base64",
    "pa_oidc_client.secret_hash",
    "pa_operation.number_secret",
    "pa_recovery_config.postcard_private_key_base64",
    "pa_recovery_puk.puk",
    "pa_temporary_key.private_key_base64",
    "pa_token.token_secret",
    "audit_chain_key.chain_key",
    "statement_key.private_key_base64",
}
_SECRET_NAME = re.compile(
    r"(?<!_for)(password|secret|credential|api_key|private_key|passphrase)(?!_set)", re.I
)
_SETTINGS_WITH_ADDRESSES = {
    # Given together with their addresses when the process starts; nobody can change one alone at run time.
    "bus_url",
    "custom_activation_provider_password",
    "database_migrate_url",
    "database_url",
    "http_proxy_password",
    "read_database_url",
    "user_info_rest_password",
}


def test_every_secret_column_is_sent_nowhere_or_bound() -> None:
    known = {column.name for column in SECRET_COLUMNS}
    assert known == NEVER_SENT | set(SENT_OUT)
    named = {
        f"{table.name}.{column.name}"
        for table in schema.metadata.sorted_tables
        for column in table.columns
        if _SECRET_NAME.search(column.name) and not column.name.endswith("_encryption")
    }
    assert named - known == set()


@pytest.mark.parametrize(
    ("model", "bound"), [(UpdateCallbackUrlRequest, CALLBACK_SECRETS), (OidcProvider, OIDC_SECRETS)]
)
def test_every_secret_member_is_bound_to_its_address(model: type[BaseModel], bound: Any) -> None:
    assert {path for path, _ in secret_members(model)} == {secret.member for secret in bound}


def test_every_secret_of_a_callback_can_be_kept() -> None:
    names = {name for names in SECRET_FIELDS.values() for name in names}
    assert names == {name for _, name in secret_members(UpdateCallbackUrlRequest)}


def test_secrets_among_the_settings_have_no_address_of_their_own() -> None:
    secret = {name for name, field in CoreSettings.model_fields.items() if field.annotation is SecretStr}
    keys = {name for name in secret if name.endswith(("_key", "_keys"))}
    assert secret - keys == _SETTINGS_WITH_ADDRESSES


def secret_members(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Wire paths and names of the members that hold a secret, in all sections of a model."""
    for name, field in model.model_fields.items():
        path = f"{prefix}{field.serialization_alias or field.alias or name}"
        kinds = (field.annotation, *get_args(field.annotation))
        if SecretStr in kinds or _SECRET_NAME.search(name):
            yield path, name
        for kind in kinds:
            if inspect.isclass(kind) and issubclass(kind, BaseModel):
                yield from secret_members(kind, f"{path}.")
