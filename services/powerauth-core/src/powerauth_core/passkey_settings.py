"""Settings of passkeys and of the metadata of authenticators (spec/device-trust.md §9.2)."""

from typing import Literal

from pydantic import Field

from servicekit.settings import OptionalPath, ServiceSettings, ServiceUrl


class PasskeySettings(ServiceSettings):
    """Metadata of authenticators, policy and data files of passkeys (spec/device-trust.md §9.2)."""

    passkey_policy_cache_seconds: float = Field(default=60.0, ge=0)
    """How long what is remembered of an application's passkey policy may be used."""
    fido2_authenticator_cache_eviction_ms: int = Field(default=3_600_000, ge=0)
    """How long what is remembered of the table of authenticator models may be used."""
    passkey_dev_mode: bool = False
    """Let a passkey policy name ``http://localhost`` among its origins."""
    passkey_requests_per_minute: int = Field(default=600, ge=0)
    """Passkey ceremonies that the browsers of one network (IPv4 /24, IPv6 /56) may begin a minute, and as
    many that they may answer; beyond it they get 429. 0: any number."""
    mds_source: Literal["OFF", "FILE", "UPLOAD", "HTTP"] = "OFF"
    """Where FIDO metadata comes from: nowhere; a file that is watched; the private API; the publisher, asked
    by a command of its own and never by a serving process."""
    mds_file: OptionalPath = None
    """The BLOB of the metadata service, for ``FILE``."""
    mds_url: ServiceUrl = "https://mds3.fidoalliance.org/"
    """Where ``HTTP`` gets it from."""
    mds_tls_ca_path: OptionalPath = None
    """Authorities that vouch for that server, or for the proxy that opens its TLS, PEM; empty: the
    platform's."""
    mds_trust_anchors: OptionalPath = None
    """Roots of the publisher's certificates, PEM; empty: GlobalSign Root CA - R3, which comes with the
    core."""
    mds_crl_directory: OptionalPath = None
    """Revocation lists of the publisher's authorities, PEM or DER, one a file; empty: revocation is not
    looked at, and none is ever fetched."""
    mds_local_statements_directory: OptionalPath = None
    """Metadata statements (``*.json``) that are trusted because they lie there, and take the place of the
    publisher's for their AAGUIDs."""
    mds_max_stale_days: int = Field(default=30, ge=0)
    """Days after a BLOB's ``nextUpdate`` for which registrations may still rest on it."""
    passkey_local_roots_file: OptionalPath = None
    """Named roots of attestation beside those that come with the core; a row of the same name takes the
    place of one."""
    passkey_known_synced_file: OptionalPath = None
    """Providers that synchronise passkeys without saying so, beside those that come with the core."""
    passkey_android_revocation_file: OptionalPath = None
    """Google's list of revoked serial numbers, for policies with ``androidRevocation: file``."""
    job_passkey_files_ms: int = Field(default=3_600_000, ge=0)
    """How often the file of the metadata and the data files are looked at."""

    passkey_revalidation_at: str = Field(default="03:30", pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    """Time of the day, UTC, from which stored attestations are looked at again, once a day."""
    passkey_revalidation_max_invalid_share: float = Field(default=0.2, ge=0, le=1)
    """Share of the passkeys looked at of which more would lose their trust: then nothing is changed."""
    job_passkey_revalidation_ms: int = Field(default=300_000, ge=0)
    """How often it is asked whether that time has come, or a run was stopped."""

    @property
    def names_passkey_files(self) -> bool:
        """Whether there is a data file that does not come with the core."""
        named = (
            self.passkey_local_roots_file,
            self.passkey_known_synced_file,
            self.passkey_android_revocation_file,
            self.mds_local_statements_directory,
        )
        return any(path is not None for path in named)
