"""Which credentials can work (spec/push-api.md §11.1, §17): what the checks of one provider leave open."""

from __future__ import annotations

import base64
import binascii
from dataclasses import replace

from cryptography.x509.oid import NameOID

from powerauth_push.providers.credentials import (
    ApnsCredentials,
    CredentialsRefused,
    apns_certificate,
    apns_key,
)
from powerauth_push.providers.messages import Environment
from powerauth_push.providers.network import ClientCertificate
from servicekit import clock

_PEM = b"-----BEGIN "
_CERTIFICATE = b"-----BEGIN CERTIFICATE"


def decoded(text: str) -> bytes:
    """The bytes of an uploaded key.

    :raises CredentialsRefused: it is no Base64
    """
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        raise CredentialsRefused("is no Base64") from None


def apns_credentials(
    bundle: str, team_id: str, key_id: str, environment: str | None, file: bytes
) -> ApnsCredentials:
    """From a token key (``.p8``), or from a certificate with its key, PEM or PKCS#12.

    :param environment: what is none is taken as not given (§10.1)
    :raises CredentialsRefused: they can never work
    """
    if _PEM in file and _CERTIFICATE not in file:
        made = apns_key(bundle, team_id, key_id, file)
    else:
        made = apns_certificate(bundle, file, None, clock.now())
        _check_team(made, team_id)
    known = {item.value: item for item in Environment}
    return replace(made, environment=known.get((environment or "").lower()))


def _check_team(made: ApnsCredentials, team_id: str) -> None:
    assert isinstance(made.by, ClientCertificate)
    named = made.by.chain[0].subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
    if named and named[0].value != team_id:
        raise CredentialsRefused("the certificate is of another team")
