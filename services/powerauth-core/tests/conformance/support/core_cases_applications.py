"""Cases of the system, application and callback calls (spec/core-api.md §4 to §6, §16 to §18)."""

from __future__ import annotations

from core_cases import Bad, Case, Then, no_master_key, out_of_scope, present, same
from core_world import APP, APP_KEY, CALLBACK, INTEGRATION, NEW_NAME, USER, World


def telemetry(message: str, **change: object) -> Bad:
    return Bad("TELEMETRY", dict(change), message)


SYSTEM = (
    Case("status", answer={"status": "OK", "applicationName": "powerauth-server"}),
    Case("error/list", {"language": "cs"}, {"errors": lambda errors: len(errors) == 46}),
    Case(
        "telemetry/report",
        {"name": "users_in_past_days", "parameters": {"application": APP, "days": 365}},
        {"name": "USERS_IN_PAST_DAYS", "reportData": {"users": 0, "days": 365, "application": present}},
        more=(
            (
                {"name": "CURRENT_MAU", "parameters": {"application": "unknown"}},
                {"reportData": {"application": "unknown", "users": 0, "days": 30}},
            ),
            ({"parameters": {"application": APP, "days": -1}}, {"reportData": {"users": 0, "days": -1}}),
        ),
        bad=(
            telemetry("Unknown report name: HEAP", name="HEAP"),
            telemetry("Missing parameter 'days'.", parameters={"application": APP}),
            telemetry(
                "The parameter 'days' must be smaller than 365. Provided: 366",
                parameters={"application": APP, "days": 366},
            ),
            telemetry("Missing parameter 'application'.", parameters={"days": 1}),
            telemetry(
                "The parameter 'days' must be an integer.", parameters={"application": APP, "days": "1"}
            ),
            telemetry(
                "The parameter 'application' must be a string.", parameters={"application": 1, "days": 1}
            ),
            Bad("0024", {"name": " "}, "requestObject.name - must not be blank"),
        ),
    ),
    Case("integration/create", {"name": "bank"}, {"name": "bank"}),
    Case("integration/list", answer={"restrictedAccess": False}),
    Case(
        "integration/remove",
        {"id": INTEGRATION},
        {"removed": True},
        more=(({"id": "unknown"}, {"removed": False}),),
    ),
    Case(
        "statement/keys",
        answer={"keys": lambda keys: all(key["kty"] == "EC" and "d" not in key for key in keys)},
    ),
    Case(
        "audit/log/list",
        {
            "subjectId": USER,
            "timestampFrom": 0,
            "timestampTo": "2999-12-31T00:00:00Z",
            "applicationIds": [APP],
        },
        {"items": [], "hasNext": False},
        more=(({"applicationIds": []}, {"items": []}), ({"types": ["activation"], "minLevel": "WARN"}, {})),
        bad=(
            Bad(
                "0024",
                {"timestampFrom": 2, "timestampTo": 1},
                "requestObject.timestampFrom - must not be after timestampTo",
            ),
        ),
    ),
)

_UNKNOWN = Bad("0015", {"applicationId": "unknown"})
_EXISTING = {"applicationId": APP}
_DEFAULT = {"applicationId": APP, "applicationVersionId": "default"}
_NO_VERSION = Bad("0015", {"applicationVersionId": "unknown"})


async def _two_roles(world: World) -> None:
    await world.ok(
        "application/roles/create", applicationId=world.app.application_id, applicationRoles=["B", "A"]
    )


APPLICATIONS = (
    Case("application/list", {"anything": "is ignored"}),
    Case(
        "application/detail",
        _EXISTING,
        {"applicationRoles": [], "versions": [{"applicationVersionId": "default", "supported": True}]},
        bad=(_UNKNOWN, Bad("0003", after=no_master_key)),
    ),
    Case(
        "application/detail/version",
        {"applicationKey": APP_KEY},
        bad=(Bad("0015", {"applicationKey": "unknown"}),),
    ),
    Case(
        "application/create",
        {"applicationId": NEW_NAME},
        {"applicationRoles": []},
        (
            Then(
                "application/detail",
                {"applicationId": same("applicationId")},
                {"versions": [{"supported": True}]},
            ),
        ),
        bad=(
            Bad("0043", {"applicationId": APP}),
            Bad(
                "0024",
                {"applicationId": "x" * 256},
                "requestObject.applicationId - must have at most 255 characters",
            ),
        ),
    ),
    Case(
        "application/version/create",
        {"applicationId": APP, "applicationVersionId": "next"},
        {"applicationVersionId": "next", "applicationVersionName": None, "supported": True},
        (
            Then(
                "application/detail",
                {"applicationId": same("applicationId")},
                {
                    "versions": lambda versions: (
                        {item["applicationVersionId"] for item in versions} == {"default", "next"}
                    )
                },
            ),
        ),
        bad=(_UNKNOWN, Bad("0043", {"applicationVersionId": "default"})),
    ),
    Case("application/version/support", _DEFAULT, {"supported": True}, bad=(_UNKNOWN, _NO_VERSION)),
    Case(
        "application/version/unsupport",
        _DEFAULT,
        {"supported": False},
        (
            Then(
                "application/detail",
                {"applicationId": same("applicationId")},
                {"versions": [{"supported": False}]},
            ),
        ),
        bad=(_UNKNOWN, _NO_VERSION),
    ),
    Case("application/roles/list", _EXISTING, {"applicationRoles": []}, bad=(_UNKNOWN,)),
    Case(
        "application/roles/create",
        {"applicationId": APP, "applicationRoles": ["C", "A"]},
        {"applicationRoles": ["A", "B", "C"]},
        before=_two_roles,
        bad=(_UNKNOWN,),
    ),
    Case(
        "application/roles/update",
        {"applicationId": APP, "applicationRoles": ["C", "A", "A"]},
        {"applicationRoles": ["A", "A", "C"]},
        before=_two_roles,
        bad=(
            _UNKNOWN,
            Bad("0024", {"applicationRoles": ["x" * 252]}, "requestObject.applicationRoles - too long"),
        ),
    ),
    Case(
        "application/roles/remove",
        {"applicationId": APP, "applicationRoles": ["A", "X"]},
        {"applicationRoles": ["B"]},
        (
            Then(
                "application/roles/list",
                {"applicationId": same("applicationId")},
                {"applicationRoles": ["B"]},
            ),
        ),
        before=_two_roles,
        bad=(_UNKNOWN,),
    ),
)

_KEY = "fido2_aaguids_allowed"
_NO_KEY = Bad("0024", {"key": "unknown"}, "requestObject.key - unknown configuration key")
# The policy of passkeys has calls of its own (spec/device-trust.md §4.5).
_POLICY = Bad("0024", {"key": "webauthn_api"}, "requestObject.key - unknown configuration key")


async def _configured(world: World) -> None:
    await world.ok(
        "application/config/create", applicationId=world.app.application_id, key=_KEY, values=["old"]
    )


def unusable(key: str, *values: object) -> Bad:
    return Bad("0024", {"key": key, "values": list(values)}, "requestObject.values - not usable for this key")


CONFIGURATION = (
    Case(
        "application/config/detail",
        _EXISTING,
        {"applicationConfigs": [{"key": _KEY, "values": ["old"]}]},
        before=_configured,
        more=(({"applicationId": "unknown"}, {"applicationId": "unknown", "applicationConfigs": []}),),
    ),
    Case(
        "application/config/create",
        {"applicationId": APP, "key": _KEY, "values": [1, "two", {"three": None}]},
        {"key": _KEY, "values": [1, "two", {"three": None}]},
        (
            Then(
                "application/config/detail",
                {"applicationId": same("applicationId")},
                {"applicationConfigs": [{"key": _KEY, "values": [1, "two", {"three": None}]}]},
            ),
        ),
        before=_configured,
        more=(
            ({"values": []}, {"values": []}),
            *(
                ({"key": key}, {})
                for key in ("fido2_attestation_fmt_allowed", "fido2_root_ca_certs", "oauth2_providers")
            ),
            (
                {
                    "key": "activation_transfer",
                    "values": [{"allowedTargetApplicationIds": ["a"], "type": "SPAWN"}],
                },
                {},
            ),
            ({"key": "device_trust", "values": [{"deviceExposeUsers": True}]}, {}),
            ({"key": "minimumProtocolVersion", "values": ["3.2"]}, {}),
        ),
        bad=(
            _UNKNOWN,
            _NO_KEY,
            _POLICY,
            unusable("device_trust"),
            unusable("device_trust", {}, {}),
            unusable("minimumProtocolVersion", "2.1"),
            unusable("activation_transfer", {"type": "SPAWN"}),
        ),
    ),
    Case(
        "application/config/remove",
        {"applicationId": APP, "key": _KEY},
        None,
        (
            Then(
                "application/config/detail",
                {"applicationId": same("applicationId")},
                {"applicationConfigs": []},
            ),
        ),
        before=_configured,
        more=(({"applicationId": "unknown"}, None), ({"key": "oauth2_providers"}, None)),
        bad=(_NO_KEY, _POLICY),
    ),
)

_AUTHENTICATION = {
    "certificate": {"enabled": False, "keyAlias": "bank"},
    "httpBasic": {"enabled": True, "username": "u", "password": "secret"},
    "oauth2": {"enabled": False, "clientId": "c", "clientSecret": "secret"},
}
_CALLBACK = {
    "applicationId": APP,
    "name": "all",
    "type": "OPERATION_STATUS_CHANGE",
    "callbackUrl": "http://127.0.0.1:9/",
    "attributes": ["status", "unknown"],
    "authentication": _AUTHENTICATION,
    "retentionPeriod": "P30D",
    "initialBackoff": 2.5,
    "maxAttempts": 3,
}
_SHOWN = {
    "type": "OPERATION_STATUS_CHANGE",
    "attributes": ["status", "unknown"],
    "authentication": {
        "certificate": {"keyAlias": "bank", "keyPasswordSet": False},
        "httpBasic": {"enabled": True, "username": "u", "passwordSet": True},
        "oauth2": {"enabled": False, "clientId": "c", "clientSecretSet": True},
    },
    "retentionPeriod": "PT720H",
    "initialBackoff": "PT2.5S",
    "maxAttempts": 3,
}
_DEFAULTS = {"retentionPeriod": "PT720H", "initialBackoff": "PT2S", "maxAttempts": 1, "attributes": []}
_BARE: dict[str, object] = dict.fromkeys(
    ("attributes", "authentication", "retentionPeriod", "initialBackoff", "maxAttempts")
)
_BAD_SETTINGS = (
    Bad("0014", {"callbackUrl": "gopher://bank"}),
    Bad("0024", {"name": " "}, "requestObject.name - must not be blank"),
    Bad(
        "0024",
        {"maxAttempts": 0},
        "requestObject.maxAttempts - must be greater than or equal to 1",
    ),
    Bad("0024", {"retentionPeriod": "-PT1S"}, "requestObject.retentionPeriod - must not be negative"),
)


async def _with_callback(world: World) -> None:
    await CALLBACK(world)


CALLBACKS = (
    Case(
        "application/callback/create",
        _CALLBACK,
        _SHOWN,
        more=((_BARE, _DEFAULTS),),
        bad=(
            *_BAD_SETTINGS,
            _UNKNOWN,
            # The URL is looked at before the application.
            Bad("0014", {"callbackUrl": "gopher://bank", "applicationId": "unknown"}),
            out_of_scope("0015"),
        ),
    ),
    Case(
        "application/callback/update",
        _CALLBACK | {"id": CALLBACK},
        _SHOWN,
        (
            Then(
                "application/callback/list",
                {"applicationId": same("applicationId")},
                {"callbackUrlList": [_SHOWN]},
            ),
        ),
        more=((_BARE, _DEFAULTS),),
        bad=(
            *_BAD_SETTINGS,
            Bad("0024", {"id": "unknown"}),
            # The callback is looked for before the URL is looked at.
            Bad("0024", {"applicationId": "unknown", "callbackUrl": "gopher://bank"}),
            out_of_scope("0024"),
        ),
    ),
    Case(
        "application/callback/list",
        {"applicationId": APP},
        {"callbackUrlList": [{"name": "all"}]},
        before=_with_callback,
        more=(
            ({"applicationId": "unknown"}, {"callbackUrlList": []}),
            ({"applicationIds": ["other"]}, {"callbackUrlList": []}),
        ),
    ),
    Case(
        "application/callback/remove",
        {"id": CALLBACK},
        {"removed": True},
        (Then("application/callback/list", {"applicationId": APP}, {"callbackUrlList": []}),),
        more=(({"id": "unknown"}, {"removed": False}), ({"applicationIds": ["other"]}, {"removed": False})),
    ),
)

CASES = (*SYSTEM, *APPLICATIONS, *CONFIGURATION, *CALLBACKS)
