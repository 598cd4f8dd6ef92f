"""What the fake core answers to administrators: applications, callbacks, audit, telemetry."""

from __future__ import annotations

from uuid import uuid4

from cloud_fake_state import CoreState, Members, Refused

from powerauth_contracts.callback_authentication import (
    CertificateAuthentication,
    HttpBasicAuthentication,
    OAuth2Authentication,
)


class ApplicationCalls(CoreState):
    """``application/``, audit and telemetry."""

    # Applications.

    def _application_list(self, _request: Members) -> Members:
        return {"applications": [_roles(item) for item in self.applications.values()]}

    def _application_detail(self, request: Members) -> Members:
        return self.find_application(request)

    def _application_detail_version(self, request: Members) -> Members:
        for item in self.applications.values():
            if any(version["applicationKey"] == request["applicationKey"] for version in item["versions"]):
                return {"applicationId": item["applicationId"]}
        raise Refused("ERR0015")

    def _application_create(self, request: Members) -> Members:
        if request["applicationId"] in self.applications:
            raise Refused("ERR0043")
        self.application(request["applicationId"])
        return {"applicationId": request["applicationId"], "applicationRoles": []}

    def _application_version_create(self, request: Members) -> Members:
        versions = self.find_application(request)["versions"]
        if any(item["applicationVersionId"] == request["applicationVersionId"] for item in versions):
            raise Refused("ERR0043")
        versions.append(self.version(request["applicationVersionId"]))
        return {}

    def _application_version_support(self, request: Members) -> Members:
        return self._support(request, True)

    def _application_version_unsupport(self, request: Members) -> Members:
        return self._support(request, False)

    def _support(self, request: Members, supported: bool) -> Members:
        for version in self.find_application(request)["versions"]:
            if version["applicationVersionId"] == request["applicationVersionId"]:
                version["supported"] = supported
                return {}
        raise Refused("ERR0015")

    def _application_roles_list(self, request: Members) -> Members:
        return _roles(self.find_application(request))

    def _application_roles_create(self, request: Members) -> Members:
        found = self.find_application(request)
        found["applicationRoles"] = sorted({*found["applicationRoles"], *request["applicationRoles"]})
        return _roles(found)

    def _application_roles_update(self, request: Members) -> Members:
        found = self.find_application(request)
        if not request["applicationRoles"]:
            raise Refused("ERR0024")
        found["applicationRoles"] = sorted(request["applicationRoles"])
        return _roles(found)

    def _application_roles_remove(self, request: Members) -> Members:
        found = self.find_application(request)
        found["applicationRoles"] = [
            role for role in found["applicationRoles"] if role not in request["applicationRoles"]
        ]
        return _roles(found)

    def _application_config_detail(self, request: Members) -> Members:
        found = self.applications.get(request["applicationId"], {"config": {}})
        return {
            "applicationId": request["applicationId"],
            "applicationConfigs": [{"key": key, "values": values} for key, values in found["config"].items()],
        }

    def _application_config_create(self, request: Members) -> Members:
        self.find_application(request)["config"][request["key"]] = request["values"]
        return request

    def _application_config_remove(self, request: Members) -> None:
        self.find_application(request)["config"].pop(request["key"], None)

    def _application_callback_list(self, request: Members) -> Members:
        found = self.applications.get(request["applicationId"], {"callbacks": {}})
        return {"callbackUrlList": [_public(item) for item in found["callbacks"].values()]}

    def _application_callback_create(self, request: Members) -> Members:
        callbacks = self.find_application(request)["callbacks"]
        return self._save_callback(callbacks, str(uuid4()), request)

    def _application_callback_update(self, request: Members) -> Members:
        callbacks = self.find_application(request)["callbacks"]
        if request["id"] not in callbacks:
            raise Refused("ERR0024")
        return self._save_callback(callbacks, request["id"], request)

    def _save_callback(self, callbacks: Members, callback_id: str, request: Members) -> Members:
        stored = callbacks.get(callback_id, {}).get("authentication") or {}
        sections = request.get("authentication") or {}
        merged = {
            name: {
                **{key: value for key, value in stored.get(name, {}).items() if key in _SECRETS},
                **section,
            }
            for name, section in sections.items()
        }
        callbacks[callback_id] = {**request, "id": callback_id, "authentication": merged}
        return _public(callbacks[callback_id])

    def _application_callback_remove(self, request: Members) -> Members:
        for app_id in request["applicationIds"]:
            if self.applications[app_id]["callbacks"].pop(request["id"], None) is not None:
                return {"id": request["id"], "removed": True}
        return {"id": request["id"], "removed": False}

    # Reports.

    def _audit_log_list(self, request: Members) -> Members:
        scope = request.get("applicationIds")
        found = [
            item
            for item in self.audit_log
            if item["subjectId"] == request["subjectId"]
            and (scope is None or item["param"].get("applicationId") in scope)
        ]
        start = request["pageNumber"] * request["pageSize"]
        page = found[start : start + request["pageSize"]]
        return {"items": page, "hasNext": len(found) > start + len(page)}

    def _telemetry_report(self, request: Members) -> Members:
        days = request["parameters"].get("days", 30)
        return {
            "name": request["name"],
            "reportData": {"application": request["parameters"]["application"], "days": days, "users": 7},
        }


def _roles(application: Members) -> Members:
    return {name: application[name] for name in ("applicationId", "applicationRoles")}


_SECRETS = {"password", "clientSecret", "keyPassword", "keyStorePassword", "trustStorePassword"}


_SECTIONS: dict[str, Members] = {
    name: {str(member.alias): member.default for member in model.model_fields.values()}
    for name, model in (
        ("certificate", CertificateAuthentication),
        ("httpBasic", HttpBasicAuthentication),
        ("oauth2", OAuth2Authentication),
    )
}


def _public(callback: Members) -> Members:
    """A callback as the core answers it: secrets replaced by flags."""
    sections = {
        name: {
            (f"{key}Set" if key in _SECRETS else key): (
                section.get(key) is not None if key in _SECRETS else section.get(key, default)
            )
            for key, default in known.items()
        }
        for name, known in _SECTIONS.items()
        for section in [callback["authentication"].get(name, {})]
    }
    return (
        {"maxAttempts": 1, "initialBackoff": "PT2S", "retentionPeriod": "PT720H"}
        | {name: value for name, value in callback.items() if value is not None}
        | {"authentication": sections}
    )
