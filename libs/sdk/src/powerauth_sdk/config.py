"""What a mobile application is shipped with."""

from __future__ import annotations

from dataclasses import dataclass, field

from powerauth_protocol.common.encoding import b64decode, b64encode
from powerauth_protocol.common.sdk_config import MobileSdkConfig
from powerauth_protocol.generation import NEWEST
from powerauth_protocol.groups import ProtocolVersion
from powerauth_protocol.v3.keys import PublicKey, import_public_key


@dataclass(frozen=True, slots=True)
class App:
    """One application version as an app carries it.

    :ivar key: Base64 text of 16 bytes
    :ivar secret: Base64 text of 16 bytes
    :ivar application_id: what the bank calls the application; no phone needs it
    """

    key: str
    secret: str = field(repr=False)
    master_public_key: PublicKey
    application_id: str = ""

    @classmethod
    def of(cls, application_id: str, key: str, secret: str, master_public_key: str) -> App:
        """From the texts that the core answers with.

        :raises ProtocolError: the master public key is not a P-256 point
        """
        return cls(key, secret, import_public_key(b64decode(master_public_key)), application_id)


@dataclass(frozen=True, slots=True)
class AppConfig:
    """Address and keys of one application version.

    :ivar base_url: enrollment service with its context path, e.g. ``https://host/enrollment-server``
    :ivar application_key: Base64 text of 16 bytes
    :ivar application_secret: Base64 text of 16 bytes
    :ivar master_public_key: Base64 text of the application's master public key
    :ivar version: protocol version that every request states
    """

    base_url: str
    application_key: str
    application_secret: str
    master_public_key: str
    version: ProtocolVersion = NEWEST

    @classmethod
    def from_sdk_config(cls, base_url: str, sdk_config: str, version: ProtocolVersion = NEWEST) -> AppConfig:
        """Read the configuration string of the mobile SDKs (spec/protocol-v3.md §14.3).

        :raises ProtocolError: not such a string
        """
        parsed = MobileSdkConfig.parse(sdk_config)
        return cls(
            base_url=base_url,
            application_key=b64encode(parsed.application_key),
            application_secret=b64encode(parsed.application_secret),
            master_public_key=b64encode(parsed.master_public_key),
            version=version,
        )

    def app(self) -> App:
        """The application version.

        :raises ProtocolError: the master public key is not a P-256 point
        """
        return App.of("", self.application_key, self.application_secret, self.master_public_key)

    def master_key(self) -> PublicKey:
        """The decoded master public key.

        :raises ProtocolError: not a P-256 point
        """
        return self.app().master_public_key
