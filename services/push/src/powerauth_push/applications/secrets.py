"""The secrets of an application's row, and what is made of them (D5)."""

from __future__ import annotations

from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.rules import apns_credentials
from powerauth_push.cipher import SecretCipher, SecretUnreadable
from powerauth_push.providers import credentials
from powerauth_push.providers.credentials import ApnsCredentials, FcmCredentials, HmsCredentials

APNS, FCM, HMS = "apns", "fcm", "hms"
PROVIDERS = (APNS, FCM, HMS)
_COLUMNS = {APNS: "apns_private_key", FCM: "fcm_private_key", HMS: "hms_client_secret"}
_MODE = "_encryption"
Credentials = ApnsCredentials | FcmCredentials | HmsCredentials


def store_apns_key(cipher: SecretCipher, row: AppCredentials, key: bytes) -> None:
    """Write a key at Apple."""
    mode, row.apns_private_key = cipher.encrypt(_parts(row, APNS), key)
    row.apns_private_key_encryption = mode


def store_fcm_key(cipher: SecretCipher, row: AppCredentials, key: bytes) -> None:
    """Write a service account of Google."""
    mode, row.fcm_private_key = cipher.encrypt(_parts(row, FCM), key)
    row.fcm_private_key_encryption = mode


def store_hms_secret(cipher: SecretCipher, row: AppCredentials, secret: str) -> None:
    """Write a client secret at Huawei."""
    mode, stored = cipher.encrypt(_parts(row, HMS), secret.encode())
    row.hms_client_secret, row.hms_client_secret_encryption = stored.decode(), mode


def configured(row: AppCredentials) -> dict[str, bool]:
    """Which providers an application has credentials of."""
    return {
        APNS: row.apns_private_key is not None,
        FCM: row.fcm_private_key is not None,
        HMS: row.hms_client_id is not None and row.hms_client_secret is not None,
    }


def credentials_of(cipher: SecretCipher, row: AppCredentials, provider: str) -> Credentials:
    """The credentials of a configured provider, ready for use.

    The token endpoint that a service account names is looked at where it would be asked.

    :raises SecretUnreadable: others have written the row, or the secret cannot be read
    :raises CredentialsRefused: they can never work
    """
    if not row.sound:
        raise SecretUnreadable("others have written the row")
    if provider == APNS:
        key = opened(cipher, row, APNS)
        return apns_credentials(
            row.apns_bundle or "",
            row.apns_team_id or "",
            row.apns_key_id or "",
            row.apns_environment,
            key,
        )
    if provider == FCM:
        file = opened(cipher, row, FCM)
        return credentials.fcm_account(row.fcm_project_id or "", file, any_token_url=True)
    secret = opened(cipher, row, HMS)
    return credentials.hms_client(row.hms_project_id or "", row.hms_client_id or "", secret.decode())


def protect(cipher: SecretCipher, row: AppCredentials) -> None:
    """Encrypt what stands in clear."""
    if row.apns_private_key is not None and not row.apns_private_key_encryption:
        store_apns_key(cipher, row, row.apns_private_key)
    if row.fcm_private_key is not None and not row.fcm_private_key_encryption:
        store_fcm_key(cipher, row, row.fcm_private_key)
    if row.hms_client_secret is not None and not row.hms_client_secret_encryption:
        store_hms_secret(cipher, row, row.hms_client_secret)


def encrypted(row: AppCredentials) -> list[str]:
    """The providers whose secret stands encrypted in a row."""
    return [
        kind for kind in PROVIDERS if _stored(row, kind) is not None and getattr(row, _COLUMNS[kind] + _MODE)
    ]


def opened(cipher: SecretCipher, row: AppCredentials, kind: str) -> bytes:
    """The secret of one provider in a row; empty if there is none.

    :raises SecretUnreadable: it cannot be read
    """
    stored = _stored(row, kind)
    mode = getattr(row, _COLUMNS[kind] + _MODE)
    return b"" if stored is None else cipher.decrypt(mode, _parts(row, kind), stored)


def renew(cipher: SecretCipher, row: AppCredentials, kind: str) -> None:
    """Encrypt the encrypted secret of one provider anew.

    :raises SecretUnreadable: it cannot be read
    """
    secret = opened(cipher, row, kind)
    if kind == HMS:
        try:
            store_hms_secret(cipher, row, secret.decode())
        except UnicodeDecodeError:  # damaged, and the padding fits by chance
            raise SecretUnreadable("no text") from None
    else:
        {APNS: store_apns_key, FCM: store_fcm_key}[kind](cipher, row, secret)


def give_up(cipher: SecretCipher, row: AppCredentials, kind: str) -> bool:
    """Forget the secret of one provider, unless it is of a key that was not given; whether that was done."""
    stored = _stored(row, kind)
    if stored is None or cipher.keys.opening(stored.decode("ascii", "replace"))[0] is None:
        return False
    setattr(row, _COLUMNS[kind], None)
    setattr(row, _COLUMNS[kind] + _MODE, 0)
    return True


def column_of(kind: str) -> str:
    """Table and column of the secret of one provider."""
    return f"{AppCredentials.__tablename__}.{_COLUMNS[kind]}"


def _stored(row: AppCredentials, kind: str) -> bytes | None:
    stored: bytes | str | None = getattr(row, _COLUMNS[kind])
    return stored.encode() if isinstance(stored, str) else stored


def _parts(row: AppCredentials, kind: str) -> tuple[str, ...]:
    return "push-credentials", kind, row.app_id
