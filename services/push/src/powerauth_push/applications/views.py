"""Applications as the wire shows them; secrets never."""

from __future__ import annotations

from powerauth_contracts.push import applications as contract
from powerauth_contracts.push.devices import ApnsEnvironment
from powerauth_push.applications.models import AppCredentials
from powerauth_push.applications.secrets import configured


def application_view(row: AppCredentials) -> contract.Application:
    """Which providers it has credentials of."""
    return contract.Application(app_id=row.app_id, **configured(row))


def detail_view(row: AppCredentials, asked: contract.ApplicationDetailRequest) -> contract.ApplicationDetail:
    """The credentials that were asked for."""
    shown = contract.ApplicationDetail(application=application_view(row))
    if asked.include_apns:
        shown.apns_bundle, shown.apns_key_id = row.apns_bundle, row.apns_key_id
        shown.apns_team_id = row.apns_team_id
        known = {item.value: item for item in ApnsEnvironment}
        shown.apns_environment = known.get((row.apns_environment or "").lower())
    if asked.include_fcm:
        shown.fcm_project_id = row.fcm_project_id
    if asked.include_hms:
        shown.hms_project_id = row.hms_project_id
    return shown
