"""Reading and writing the policy of an application; who may, and what it does to users, is asked above
(`powerauth_core.passkey_administration`).
"""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from powerauth_core import events
from powerauth_core.applications import config_service, repository
from powerauth_core.applications.cache import ApplicationCache
from powerauth_core.applications.config_keys import WEBAUTHN_API
from powerauth_core.applications.models import Application
from powerauth_core.applications.secrets import config_values
from powerauth_core.kernel.errors import InvalidKeyFormat, UnsoundRecord
from powerauth_core.kernel.records import RecordCipher
from powerauth_core.passkey_policies import rules
from powerauth_core.passkey_policies.rules import StoredPolicy, UpstreamKeys
from servicekit.database import after_commit


async def stored(
    cipher: RecordCipher, session: AsyncSession, application: Application, *, dev_mode: bool
) -> StoredPolicy | None:
    """The policy as it is stored, past any cache; None: none was ever set.

    :raises InvalidKeyFormat: there is one, and it cannot be read
    """
    values = await config_service.values_of(cipher, session, application.id, application.name, WEBAUTHN_API)
    return None if values is None else rules.read(values, dev_mode=dev_mode)


async def version(cipher: RecordCipher, session: AsyncSession, application: Application) -> int:
    """The number of the change that wrote the policy, whether it can be read or not; 0: nothing tells one."""
    try:
        values = await config_service.values_of(
            cipher, session, application.id, application.name, WEBAUTHN_API
        )
    except (InvalidKeyFormat, UnsoundRecord):
        return 0
    return rules.version_of(values or ())


async def upstream(cipher: RecordCipher, session: AsyncSession, application: Application) -> UpstreamKeys:
    """The original's keys, past any cache."""
    rows = await repository.find_configs(session, application.id, rules.UPSTREAM)
    return rules.upstream_keys(
        {key: config_values(cipher, application.name, row) for key, row in rows.items()}
    )


async def store(
    cipher: RecordCipher,
    application_cache: ApplicationCache,
    session: AsyncSession,
    application: Application,
    policy: StoredPolicy,
) -> None:
    """Write the policy of a locked application, and make every process forget the one before.

    :raises InvalidKeyFormat: it would not be read as what it is, and then nothing is allowed
    """
    values = rules.to_store(policy)
    if rules.read(values, dev_mode=True).policy != policy.policy:
        raise InvalidKeyFormat
    await config_service.store(cipher, session, application, WEBAUTHN_API, values)
    await events.application_changed(session, application.name, "policy")
    after_commit(session, application_cache.clear)
