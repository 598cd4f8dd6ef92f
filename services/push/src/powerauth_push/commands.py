"""What an operator does beside a running push service, on the database of its settings."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from powerauth_push import adoption, backup, rotation
from powerauth_push.app import examine_keys, open_database
from powerauth_push.applications import service as applications
from powerauth_push.callers import service as callers
from powerauth_push.callers.models import Integration
from powerauth_push.callers.rules import EVERYTHING, Scope, scopes_of, scopes_text
from powerauth_push.cipher import SecretCipher
from powerauth_push.master_key.service import KEYED_COLUMNS, REGISTRY, given_keys, look
from powerauth_push.migrations import SCRIPT_LOCATION
from powerauth_push.settings import PushSettings
from servicekit import commands, key_rotation
from servicekit.commands import Outcome
from servicekit.database import Database

NEEDS = ("database_url",)
"""The settings that every command works with."""
NEEDS_OF_SECRETS = (*NEEDS, "master_encryption_key")
"""Those of commands that store what production must not hold unprotected."""


async def migrate(settings: PushSettings) -> Outcome:
    """Bring the database to the current schema; one of the original is left as it is."""
    return await adoption.migrate(settings.migrate_url)


async def adopt(settings: PushSettings, *, check_only: bool = False) -> Outcome:
    """Take over a database of the original, or only say whether it could be."""
    return await adoption.adopt(settings.migrate_url, check_only=check_only)


async def encrypt(settings: PushSettings) -> Outcome:
    """Encrypt credentials that stand in clear, and bind the rows that nobody has bound."""
    if settings.master_key is None:
        return Outcome(False, "PUSH_MASTER_ENCRYPTION_KEY is not set.")
    async with _offline(settings) as (database, cipher):
        bound = await applications.protect_all(database, cipher)
        bound += await callers.bind_all(database)
    return Outcome(True, f"{bound} rows encrypted and bound.")


async def check(settings: PushSettings) -> Outcome:
    """Whether the schema is the current one."""
    return await commands.check(settings.migrate_url, SCRIPT_LOCATION)


async def create_caller(settings: PushSettings, name: str, scopes: Collection[Scope]) -> Outcome:
    """Make a caller; its secret is in the answer, which is JSON, and nowhere else. One that exists stays as
    it is, and is refused if it is not what was asked for.
    """
    async with _offline(settings) as (database, _):
        made = await callers.create(database, name, scopes)
        there = {row.name: row for row in await callers.list_all(database)}
    if made is not None:
        return _told({"clientToken": made.client_token, "clientSecret": made.client_secret})
    row = there[name]
    if not row.sound or scopes_of(row.scopes) != frozenset(scopes):
        return Outcome(False, f"{name} exists already, {_described(row)}; nothing was changed.")
    note = f"{name} exists already, nothing was changed. Its secret is known only at creation."
    return _told({"clientToken": row.client_token}, note)


async def set_caller(
    settings: PushSettings, name: str, scopes: Collection[Scope], client_token: str, client_secret: str
) -> Outcome:
    """Give a caller these credentials and scopes, made if need be; the answer is JSON."""
    wanted = callers.Credentials(client_token, client_secret)
    async with _offline(settings) as (database, _):
        try:
            changed = await callers.set_credentials(database, name, scopes, wanted)
        except callers.CallerRefused as refused:
            return Outcome(False, f"{refused}, nothing was changed.")
    return _told({"clientToken": client_token, "changed": changed})


async def remove_caller(settings: PushSettings, name: str) -> Outcome:
    """Remove a caller."""
    async with _offline(settings) as (database, _):
        removed = await callers.remove(database, name)
    return Outcome(removed, f"{name} is removed." if removed else f"There is no {name}.")


async def list_callers(settings: PushSettings) -> Outcome:
    """The callers and what they may do; the answer is JSON."""
    async with _offline(settings) as (database, _):
        found = await callers.list_all(database)
    return _told(
        [
            {
                "name": row.name,
                "scopes": row.scopes.split(),
                "clientToken": row.client_token,
                "usable": row.sound,
            }
            for row in found
        ]
    )


async def rotate_keys(settings: PushSettings, *, batch: int, gives_up: int = 0) -> Outcome:
    """Make what is of other master keys anew with the current one.

    :param gives_up: how many secrets that their key does not open are emptied at most
    """
    if settings.master_key is None:
        return Outcome(False, "PUSH_MASTER_ENCRYPTION_KEY is not set.")
    async with _offline(settings) as (database, cipher):
        await REGISTRY.prefer(database, settings.master_key)
        done = await rotation.rotate(database, cipher, batch, gives_up=gives_up)
        return commands.rotated(done, await REGISTRY.told_left(database, settings.master_key))


async def key_status(settings: PushSettings) -> Outcome:
    """Which master keys the database holds values of; nothing is stored."""
    async with _unexamined(settings) as database:
        keys, records = await look(database, given_keys(settings))
        return commands.keys_in_use(await key_rotation.count(database, KEYED_COLUMNS), keys, records)


async def check_backup(settings: PushSettings, *, whole: bool) -> Outcome:
    """Whether the database opens with these keys; nothing is stored."""
    schema = await check(settings)
    if not schema.ok:
        return schema
    async with _unexamined(settings) as database:
        report = await backup.check(database, given_keys(settings), whole=whole)
    outcome = report.outcome()
    return Outcome(outcome.ok, f"{schema.text}\n{outcome.text}")


def _told(answer: object, note: str = "") -> Outcome:
    return Outcome(True, json.dumps(answer, indent=2), note)


def _described(row: Integration) -> str:
    return f"with scopes {row.scopes}" if row.sound else "and others have written its row"


def default_scopes() -> str:
    """Those of the cloud service, as the command line takes them."""
    return scopes_text(EVERYTHING).replace(" ", ",")


@asynccontextmanager
async def _offline(settings: PushSettings) -> AsyncGenerator[tuple[Database, SecretCipher]]:
    async with _unexamined(settings) as database:
        yield database, SecretCipher(await examine_keys(database, settings))


@asynccontextmanager
async def _unexamined(settings: PushSettings) -> AsyncGenerator[Database]:
    database = open_database(settings)
    try:
        yield database
    finally:
        await database.dispose()
