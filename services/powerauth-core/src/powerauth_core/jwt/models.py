"""Keys, clients and sessions of signed tokens, and what is no longer accepted (spec/device-trust.md §2)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from powerauth_contracts.enums import SigningKeyStatus
from powerauth_core.kernel.base import Base, Timestamp
from powerauth_core.kernel.errors import UnsoundRecord
from servicekit.row_macs import BoundRow

KID_LENGTH = 43
HASH_LENGTH = 64


class JwtKey(BoundRow, Base):
    """An RSA key pair that signs tokens of one scope: of an application that uses keys of its own, or of all
    others.
    """

    BOUND_COLUMNS = (
        "id",
        "application_id",
        "kid",
        "status",
        "source",
        "private_key",
        "private_key_encryption",
    )

    __tablename__ = "pa_jwt_key"
    __table_args__ = (
        Index("pa_jwt_key_kid", "kid", unique=True),
        Index("pa_jwt_key_application", "application_id"),
        Index("pa_jwt_key_signing", "signing_scope", unique=True),
    )

    id: Mapped[str] = mapped_column(String(37), primary_key=True)
    application_id: Mapped[int | None] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="pa_jwt_key_application_fk")
    )
    """The application whose key it is; empty: the key of all others."""
    kid: Mapped[str] = mapped_column(String(KID_LENGTH))
    """Thumbprint of the public key (RFC 7638), by which tokens name it."""
    name: Mapped[str] = mapped_column(String(255))
    """What the bank calls it."""
    status: Mapped[str] = mapped_column(String(16))
    """`validating`: published, `signing`: it signs too, `disabled`: neither."""
    signing_scope: Mapped[int | None]
    """While it signs: row id of its application, 0 for all others; so there is one at most."""
    source: Mapped[str] = mapped_column(String(16))
    """`global`, `generated` for an application, or `uploaded`."""
    public_jwk: Mapped[str] = mapped_column(Text)
    """JSON Web Key of the public key, for administrators; the published one is made of the private key."""
    private_key: Mapped[str | None] = mapped_column(Text)
    """Private key, PKCS #8; empty: erased. **Secret.**"""
    private_key_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
    timestamp_signing_from: Mapped[datetime | None] = mapped_column(Timestamp)
    """Since when it signs, or did."""
    timestamp_retired: Mapped[datetime | None] = mapped_column(Timestamp)
    """When it stopped signing."""
    timestamp_disabled: Mapped[datetime | None] = mapped_column(Timestamp)
    """When it was disabled; thirty days later its private key is erased."""

    def turn(self, status: SigningKeyStatus, now: datetime) -> None:
        """Give it another state."""
        if self.status == SigningKeyStatus.SIGNING:
            self.timestamp_retired = now
        if status is SigningKeyStatus.SIGNING:
            self.timestamp_signing_from = now
        if status is SigningKeyStatus.DISABLED:
            self.timestamp_disabled = now
        self.status = status.value
        self.signing_scope = (self.application_id or 0) if status is SigningKeyStatus.SIGNING else None

    def is_written_unsound(self) -> None:
        """:raises UnsoundRecord: others have written it; it can only be removed"""
        raise UnsoundRecord


class OidcClient(BoundRow, Base):
    """Who asks for tokens. Lists are texts, separated by spaces."""

    BOUND_COLUMNS = (
        "client_id",
        "application_id",
        "auth_method",
        "secret_hash",
        "secret_hash_encryption",
        "jwks",
        "grant_types",
        "scopes",
        "resources",
        "access_token_typ",
        "use_app_keys",
        "default_claims",
    )

    __tablename__ = "pa_oidc_client"
    __table_args__ = (Index("pa_oidc_client_application", "application_id"),)

    client_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    """Its name."""
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="pa_oidc_client_application_fk")
    )
    auth_method: Mapped[str] = mapped_column(String(32))
    """How it shows who it is (RFC 7591): `client_secret_basic`, `private_key_jwt`, `none` …"""
    secret_hash: Mapped[str | None] = mapped_column(String(255))
    """Argon2 text of its secret. **Secret.**"""
    secret_hash_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    jwks: Mapped[str | None] = mapped_column(Text)
    """JSON Web Key Set that its assertions are verified with."""
    grant_types: Mapped[str] = mapped_column(Text)
    """What it may get tokens for."""
    scopes: Mapped[str] = mapped_column(Text)
    """What it may ask for."""
    resources: Mapped[str] = mapped_column(Text)
    """Audiences that its access tokens may have beside the default one."""
    access_token_typ: Mapped[str] = mapped_column(String(16))
    """`typ` of its access tokens; another than `at+jwt` is for its own consumers alone."""
    use_app_keys: Mapped[int] = mapped_column(Integer)
    """1: its tokens are signed with its application's keys, and issued by the application's issuer."""
    default_claims: Mapped[str | None] = mapped_column(Text)
    """JSON object of claims that its ID tokens always have."""
    access_ttl: Mapped[int | None]
    """How long its access tokens are valid, in seconds; empty: as the service is set."""
    id_ttl: Mapped[int | None]
    """How long its ID tokens are valid, in seconds; empty: as the service is set."""
    refresh_ttl: Mapped[int | None]
    """How long a session is refreshed at most, in seconds; empty: as the service is set."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)

    def is_written_unsound(self) -> None:
        """:raises UnsoundRecord: others have written it; it can only be removed"""
        raise UnsoundRecord


class JwtSession(BoundRow, Base):
    """A sign-in with all tokens that came of it: the family of its refresh tokens.

    Refresh tokens are not stored. Each is made of the session's secret and its number, so that the successor
    of one can be told again (`jwt.refresh_tokens`).
    """

    BOUND_COLUMNS = (
        "session_id",
        "application_id",
        "client_id",
        "user_id",
        "username",
        "scope",
        "resource",
        "activation_id",
        "device_id",
        "device_key_id",
        "authentication",
        "refresh_secret",
        "refresh_secret_encryption",
        "refresh_number",
        "revoked",
    )

    __tablename__ = "pa_jwt_session"
    __table_args__ = (
        Index("pa_jwt_session_activation", "activation_id"),
        Index("pa_jwt_session_user", "user_id"),
        Index("pa_jwt_session_expires", "timestamp_expires"),
    )

    session_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    """The claim `sid`."""
    application_id: Mapped[int] = mapped_column(
        Integer, ForeignKey("pa_application.id", name="pa_jwt_session_application_fk")
    )
    client_id: Mapped[str] = mapped_column(String(255))
    """Whom its tokens were issued to."""
    user_id: Mapped[str] = mapped_column(String(255))
    """The bank's id of the user."""
    username: Mapped[str | None] = mapped_column(String(255))
    """What the bank calls the user, if it said so."""
    scope: Mapped[str] = mapped_column(Text)
    """What was granted, separated by spaces."""
    resource: Mapped[str] = mapped_column(String(255))
    """Audience of its access tokens."""
    activation_id: Mapped[str | None] = mapped_column(String(37))
    """Activation or passkey that signed in; without it nothing of the session is accepted."""
    device_id: Mapped[str | None] = mapped_column(String(37))
    """Device that signed in."""
    device_key_id: Mapped[str | None] = mapped_column(String(KID_LENGTH))
    """Key of that device."""
    authentication: Mapped[str] = mapped_column(Text)
    """JSON object of how the user signed in."""
    refresh_secret: Mapped[str | None] = mapped_column(String(255))
    """What refresh tokens are made of; empty: there are none. **Secret.**"""
    refresh_secret_encryption: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    refresh_number: Mapped[int] = mapped_column(default=0, server_default=text("0"))
    """Number of the refresh token that is valid now."""
    revoked: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    """1: nothing of it is accepted any more."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
    timestamp_refreshed: Mapped[datetime] = mapped_column(Timestamp)
    """When its tokens were issued last."""
    timestamp_expires: Mapped[datetime] = mapped_column(Timestamp)
    """After that nothing of it can be used."""

    def is_written_unsound(self) -> None:
        """:raises UnsoundRecord: nothing is issued for it"""
        raise UnsoundRecord


class JwtUser(Base):
    """That a user has signed in to an application before."""

    __tablename__ = "pa_jwt_user"

    application_id: Mapped[int] = mapped_column(
        Integer,
        ForeignKey("pa_application.id", name="pa_jwt_user_application_fk"),
        primary_key=True,
        autoincrement=False,
    )
    user_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    """The bank's id of the user."""
    timestamp_created: Mapped[datetime] = mapped_column(Timestamp)
    """When he did so first."""


class RevokedJwt(Base):
    """A token that is not accepted although it is not over."""

    __tablename__ = "pa_jwt_revoked"
    __table_args__ = (Index("pa_jwt_revoked_exp", "exp"),)

    jti: Mapped[str] = mapped_column(String(36), primary_key=True)
    """The claim `jti`."""
    exp: Mapped[datetime] = mapped_column(Timestamp)
    """When it is over by itself."""


class JwtNotBefore(Base):
    """Tokens of a subject that were issued before a moment are not accepted."""

    __tablename__ = "pa_jwt_not_before"

    subject_type: Mapped[str] = mapped_column(String(16), primary_key=True)
    """`USER`, `DEVICE`, `SESSION` or `KEY_SCOPE`."""
    application_id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    """Row id of the application that it is limited to; 0: all of them, or the keys of all others."""
    subject: Mapped[str] = mapped_column(String(255), primary_key=True)
    """Id of the user, device or session; empty for keys."""
    ts: Mapped[datetime] = mapped_column(Timestamp)
    """The moment."""
