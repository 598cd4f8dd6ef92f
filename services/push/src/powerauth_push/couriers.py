"""The way to the real providers, as the settings describe it (spec/push-api.md §21, §22)."""

from __future__ import annotations

from powerauth_push.applications.secrets import Credentials
from powerauth_push.dispatch.senders import Sender
from powerauth_push.providers.building import ApnsOptions, Clients, FcmOptions, HmsOptions
from powerauth_push.providers.credentials import ApnsCredentials, FcmCredentials
from powerauth_push.providers.delivery import Courier
from powerauth_push.providers.gate import Gate
from powerauth_push.providers.network import Proxy, Route
from powerauth_push.providers.payloads.hms import HmsStyle
from powerauth_push.providers.provider import Provider
from powerauth_push.providers.rules import DELIVERING
from powerauth_push.settings import PushSettings


class Couriers:
    """Makes a courier for each application and provider; connections that can be shared are."""

    def __init__(self, settings: PushSettings) -> None:
        self._clients = Clients(_apns(settings), _fcm(settings), _hms(settings))

    def make(self, application: str, provider: str, credentials: Credentials) -> Sender:
        """See `SenderFactory`."""
        return Courier(self._client(credentials), application, DELIVERING, Gate())

    async def close(self) -> None:
        """See `SenderFactory`."""
        await self._clients.close()

    def _client(self, credentials: Credentials) -> Provider:
        if isinstance(credentials, ApnsCredentials):
            return self._clients.apns(credentials)
        if isinstance(credentials, FcmCredentials):
            return self._clients.fcm(credentials)
        return self._clients.hms(credentials)


def _apns(settings: PushSettings) -> ApnsOptions:
    return ApnsOptions(
        production_url=settings.apns_production_url,
        development_url=settings.apns_development_url,
        use_development=settings.apns_use_development,
        route=_route(
            settings,
            settings.proxy_of("apns"),
            connect_seconds=settings.apns_connect_timeout,
            ping_seconds=settings.apns_idle_ping_interval,
            connections=settings.apns_concurrent_connections,
        ),
    )


def _fcm(settings: PushSettings) -> FcmOptions:
    return FcmOptions(
        send_url=settings.fcm_send_message_url,
        token_url=settings.fcm_token_url,
        data_only=settings.fcm_data_notification_only,
        route=_route(settings, settings.proxy_of("fcm"), connect_seconds=settings.fcm_connect_timeout),
    )


def _hms(settings: PushSettings) -> HmsOptions:
    style = HmsStyle(settings.hms_badge_class or None, high_importance=settings.hms_high_importance)
    return HmsOptions(
        send_url=settings.hms_send_message_url,
        token_url=settings.hms_token_url,
        style=style,
        route=_route(settings, settings.proxy_of("hms"), connect_seconds=settings.hms_connect_timeout),
    )


def _route(
    settings: PushSettings,
    proxy: Proxy | None,
    *,
    connect_seconds: float,
    ping_seconds: float = 60.0,
    connections: int = 2,
) -> Route:
    return Route(
        ca_file=settings.providers_ca_file,
        proxy=proxy,
        connect_seconds=connect_seconds,
        send_seconds=settings.provider_send_timeout,
        ping_seconds=ping_seconds,
        connections=connections,
    )
