"""Applications and their credentials (spec/push-api.md §17)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from powerauth_contracts.rest import applications as core
from powerauth_push.applications import repository, rules
from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.ports import Ports
from powerauth_push.applications.secrets import protect, store_apns_key, store_fcm_key, store_hms_secret
from powerauth_push.cipher import SecretCipher
from powerauth_push.core_client import CoreFailed
from powerauth_push.errors import ApplicationNotFound, InvalidMember, PushError
from powerauth_push.providers.credentials import CredentialsRefused, fcm_account, hms_client
from servicekit import clock
from servicekit.database import Database, after_commit
from servicekit.row_macs import SESSION_KEY, RowMacs, give_mac

_KEY = "requestObject.privateKeyBase64"


async def list_all(database: Database) -> Sequence[AppCredentials]:
    """All applications."""
    async with database.read() as session:
        return await repository.list_all(session)


async def list_unconfigured(ports: Ports) -> list[str]:
    """Ids of the core's applications that nobody has begun with here.

    :raises PushError: the core does not say
    """
    try:
        answer = await ports.core.ask(core.LIST)
    except CoreFailed:
        raise PushError("The applications of the core are not known") from None
    known = {row.app_id for row in await list_all(ports.database)}
    return sorted(item.application_id for item in answer.applications if item.application_id not in known)


async def detail(database: Database, app_id: str) -> AppCredentials:
    """An application.

    :raises ApplicationNotFound: there is none
    """
    async with database.read() as session:
        row = await repository.find(session, app_id)
    if row is None:
        raise ApplicationNotFound
    return row


async def create(database: Database, app_id: str) -> None:
    """Begin with an application, without credentials.

    :raises PushError: that has been done
    """
    async with database.transaction() as session:
        if await repository.find(session, app_id) is not None:
            raise PushError("The application exists already")
        session.add(AppCredentials(app_id=app_id, timestamp_created=clock.now()))


async def set_apns(
    ports: Ports, app_id: str, bundle: str, key_id: str, team_id: str, environment: str | None, key: str
) -> None:
    """Replace the credentials at Apple.

    :param key: Base64 of the file
    :raises ApplicationNotFound: there is no such application
    :raises InvalidMember: they can never work; why
    """
    try:
        file = rules.decoded(key)
        rules.apns_credentials(bundle, team_id, key_id, environment, file)
    except CredentialsRefused as refused:
        raise InvalidMember(_KEY, str(refused)) from None
    async with _changed(ports, app_id) as row:
        row.apns_bundle, row.apns_key_id, row.apns_team_id = bundle, key_id, team_id
        row.apns_environment = environment
        store_apns_key(ports.cipher, row, file)


async def set_fcm(ports: Ports, app_id: str, project_id: str, key: str) -> None:
    """Replace the credentials at Google; raises as `set_apns`.

    :param key: Base64 of the service account's file
    """
    try:
        file = rules.decoded(key)
        fcm_account(project_id, file, any_token_url=bool(ports.settings.fcm_token_url))
    except CredentialsRefused as refused:
        raise InvalidMember(_KEY, str(refused)) from None
    async with _changed(ports, app_id) as row:
        row.fcm_project_id = project_id
        store_fcm_key(ports.cipher, row, file)


async def set_hms(ports: Ports, app_id: str, project_id: str, client_id: str, client_secret: str) -> None:
    """Replace the credentials at Huawei; raises as `set_apns`."""
    try:
        hms_client(project_id, client_id, client_secret)
    except CredentialsRefused as refused:
        raise InvalidMember("requestObject.clientSecret", str(refused)) from None
    async with _changed(ports, app_id) as row:
        row.hms_project_id, row.hms_client_id = project_id, client_id
        store_hms_secret(ports.cipher, row, client_secret)


async def clear_apns(ports: Ports, app_id: str) -> None:
    """Forget the credentials at Apple.

    :raises ApplicationNotFound: there is no such application
    """
    async with _changed(ports, app_id) as row:
        row.apns_private_key = row.apns_bundle = row.apns_key_id = row.apns_team_id = None
        row.apns_environment, row.apns_private_key_encryption = None, 0


async def clear_fcm(ports: Ports, app_id: str) -> None:
    """Forget the credentials at Google; raises as `clear_apns`."""
    async with _changed(ports, app_id) as row:
        row.fcm_private_key = row.fcm_project_id = None
        row.fcm_private_key_encryption = 0


async def clear_hms(ports: Ports, app_id: str) -> None:
    """Forget the credentials at Huawei; raises as `clear_apns`."""
    async with _changed(ports, app_id) as row:
        row.hms_project_id = row.hms_client_id = row.hms_client_secret = None
        row.hms_client_secret_encryption = 0


async def protect_all(database: Database, cipher: SecretCipher) -> int:
    """Encrypt what stands in clear and bind the rows that nobody has bound; how many.

    A row whose MAC does not fit stays as it is: others have written it.
    """
    macs: RowMacs = database.session_info[SESSION_KEY]
    async with database.transaction() as session:
        rows = [row for row in await repository.list_all(session) if row.row_mac is None]
        for row in rows:
            row.sound = True
            protect(cipher, row)
            give_mac(macs, row)
    return len(rows)


@asynccontextmanager
async def _changed(ports: Ports, app_id: str) -> AsyncGenerator[AppCredentials]:
    """An application's row, whose new content is used from its commit on."""
    async with ports.database.transaction() as session:
        row = await repository.lock(session, ports.database.dialect, app_id)
        if row is None:
            raise ApplicationNotFound
        if not row.sound:
            raise PushError("Others have written the application's row")
        yield row
        row.timestamp_last_updated = clock.now()
        rid = row.id
        after_commit(session, lambda: ports.senders.forget(rid))
