"""What an operator does beside a running push service, on the database of its settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import asynccontextmanager

from powerauth_push import adoption
from powerauth_push.app import open_database
from powerauth_push.applications import service as applications
from powerauth_push.callers import service as callers
from powerauth_push.callers.rules import EVERYTHING, Scope, scopes_text
from powerauth_push.cipher import SecretCipher
from powerauth_push.migrations import SCRIPT_LOCATION
from powerauth_push.settings import PushSettings
from servicekit import commands
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
    async with _offline(settings) as database:
        bound = await applications.protect_all(database, SecretCipher(settings.master_key))
        bound += await callers.bind_all(database)
    return Outcome(True, f"{bound} rows encrypted and bound.")


async def check(settings: PushSettings) -> Outcome:
    """Whether the schema is the current one."""
    return await commands.check(settings.migrate_url, SCRIPT_LOCATION)


async def create_caller(settings: PushSettings, name: str, scopes: Collection[Scope]) -> Outcome:
    """Make a caller; its secret is in the answer and nowhere else."""
    async with _offline(settings) as database:
        made = await callers.create(database, name, scopes)
    if made is None:
        return Outcome(False, f"{name} exists already, nothing was changed.")
    return Outcome(True, f"client token: {made.client_token}\nclient secret: {made.client_secret}")


async def remove_caller(settings: PushSettings, name: str) -> Outcome:
    """Remove a caller."""
    async with _offline(settings) as database:
        removed = await callers.remove(database, name)
    return Outcome(removed, f"{name} is removed." if removed else f"There is no {name}.")


async def list_callers(settings: PushSettings) -> Outcome:
    """The callers and what they may do."""
    async with _offline(settings) as database:
        found = await callers.list_all(database)
    lines = [f"{row.name}: {row.scopes}" + ("" if row.sound else " (unusable)") for row in found]
    return Outcome(True, "\n".join(lines) or "There are no callers.")


def default_scopes() -> str:
    """Those of the cloud service, as the command line takes them."""
    return scopes_text(EVERYTHING).replace(" ", ",")


@asynccontextmanager
async def _offline(settings: PushSettings) -> AsyncGenerator[Database]:
    database = open_database(settings)
    try:
        yield database
    finally:
        await database.dispose()
