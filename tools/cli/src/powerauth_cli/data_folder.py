"""The folder of `powerauth run`: databases, and the secrets that the first run makes up.

The secrets (the key that encrypts records at rest, the administrator's password hash) are kept in
`secrets.json`.
"""

from __future__ import annotations

import hmac
import json
import secrets
from base64 import b64encode
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from powerauth_cli.credentials import hashed_password, new_password
from servicekit.private_files import write_private
from servicekit.start_rules import Finding, StartRefused

_SECRETS = "secrets.json"
_DATABASES = ("core.sqlite3", "cloud.sqlite3", "push.sqlite3")
FAKE_PROVIDERS = "fake-providers.json"
"""Keys of the fake push providers, which credentials in push's database are made of."""
_PUSH_KEY_BYTES = 16


@dataclass(slots=True)
class Secrets:
    """What the first run makes up."""

    master_encryption_key: str = field(repr=False)
    offline_derivation_key: str = field(repr=False)
    admin_password_hash: str = field(repr=False)

    @property
    def push_encryption_key(self) -> str:
        """The push service's key, as different from the core's as a made-up one."""
        derived = hmac.digest(self.master_encryption_key.encode(), b"push", "sha256")
        return b64encode(derived[:_PUSH_KEY_BYTES]).decode()

    @classmethod
    def kept(cls, folder: Path) -> Secrets:
        """Read the folder's secrets.

        :raises StartRefused: it has none
        """
        path = folder / _SECRETS
        try:
            return cls(**json.loads(path.read_text()))
        except OSError as error:
            raise folder_refused(error) from None
        except (ValueError, TypeError):
            raise StartRefused(Finding("--data", f"{path} is damaged", "a backup of the file")) from None

    @classmethod
    def of(cls, folder: Path) -> tuple[Secrets, str | None]:
        """Read the folder's secrets, or make some up, which are not written yet.

        :return: the secrets and, at the first run only, the administrator's password
        :raises StartRefused: they cannot be read, or databases have lost them
        """
        path = folder / _SECRETS
        if path.exists():
            return cls.kept(folder), None
        if any((folder / name).exists() for name in _DATABASES):
            meaning = f"{path} is missing, without which the databases beside it cannot be read"
            raise StartRefused(Finding("--data", meaning, "a backup of the file"))
        password = new_password()
        made = cls(
            master_encryption_key=b64encode(secrets.token_bytes(16)).decode(),
            offline_derivation_key=b64encode(secrets.token_bytes(32)).decode(),
            admin_password_hash=hashed_password(password),
        )
        return made, password

    def keep(self, folder: Path) -> None:
        """Write them into the folder, for its owner alone."""
        write_private(folder / _SECRETS, json.dumps(asdict(self), indent=1))


def folder_refused(error: OSError) -> StartRefused:
    """What is told of a folder that cannot be used."""
    return StartRefused(Finding("--data", f"{error.filename}: {error.strerror}", "data"))


def core_values(folder: Path, kept: Secrets) -> dict[str, Any]:
    """The core's settings that name its database in a folder."""
    return {
        "database_url": f"sqlite+aiosqlite:///{folder / 'core.sqlite3'}",
        "master_encryption_key": kept.master_encryption_key,
        # All services are at the one port of this process.
        "dmz_port": None,
    }


def cloud_values(folder: Path) -> dict[str, Any]:
    """The cloud service's settings that name its database in a folder."""
    return {"database_url": f"sqlite+aiosqlite:///{folder / 'cloud.sqlite3'}"}


def push_values(folder: Path, kept: Secrets) -> dict[str, Any]:
    """The push service's settings that name its database in a folder."""
    return {
        "database_url": f"sqlite+aiosqlite:///{folder / 'push.sqlite3'}",
        "master_encryption_key": kept.push_encryption_key,
    }


def of_ours(folder: Path) -> list[Path]:
    """What this package made in a folder, and the folder itself unless it holds something else too."""
    found = list(folder.iterdir())
    ours = [
        path for path in found if path.name in (_SECRETS, FAKE_PROVIDERS) or path.name.startswith(_DATABASES)
    ]
    return [folder, *ours] if len(ours) == len(found) else ours
