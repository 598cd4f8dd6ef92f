"""The chart as it is committed: its values, its README, and what was rendered of it (`make golden`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from deploy_chart import (
    CHART,
    DIGEST,
    SETS,
    containers,
    digest,
    generated_readme,
    golden,
    of_kind,
    pod_templates,
    values_of,
)

from powerauth_cli.services import SERVICES
from servicekit.startup import serving_settings

SCHEMA = json.loads((CHART / "values.schema.json").read_text())


def at(values: dict[str, Any], path: str, value: object) -> dict[str, Any]:
    """The values with another one at a dotted path."""
    changed = deepcopy(values)
    *groups, last = path.split(".")
    part = changed
    for group in groups:
        part = part[group]
    part[last] = value
    return changed


def test_what_was_rendered_is_what_the_chart_renders() -> None:
    assert DIGEST.read_text().strip() == digest(), "run `make golden`"


def test_the_readme_tells_the_values() -> None:
    assert (CHART / "README.md").read_text() == generated_readme(), "run scripts/chart_readme.py"


def test_the_schema_is_one_and_takes_every_set() -> None:
    jsonschema_rs.meta.validate(SCHEMA)
    validator = jsonschema_rs.validator_for(SCHEMA)
    assert [list(validator.iter_errors(values_of(name))) for name in SETS] == [[]] * 5


@pytest.mark.parametrize(
    ("path", "value", "where"),
    [
        ("core.replicas", 3, "core"),
        ("cor", {}, ""),
        ("core.workload", {"workers": "many"}, "core.workload.workers"),
        ("core.workload", {"podLabels": {"app.kubernetes.io/component": "core"}}, "core.workload.podLabels"),
        ("core.database.existingSecret", "", "core.database.existingSecret"),
        ("push.database.to", [], "push.database.to"),
        ("broker.existingSecret", "", "broker.existingSecret"),
        ("core.settings", {"PUSH_PORT": "1"}, "core.settings"),
        ("core.callers", [{}], "core.callers.0"),
        ("core.callers", [{"ipBlock": {"cidr": "10.0.0.1"}}], "core.callers.0"),
        ("image.digests", {"powerauth-core": "sha256:12"}, "image.digests.powerauth-core"),
        ("tls.mode", "some", "tls.mode"),
        ("tls.mode", "secrets", "tls.secrets.core"),
        ("ingress.enabled", True, "ingress.host"),
        ("gateway.enabled", True, "gateway.parentRefs"),
        ("enrollment.redis.existingSecret", "redis", "enrollment.redis.to"),
        ("egress.proxy.host", "proxy", "egress.to"),
        ("tracing.sampleRatio", 2, "tracing.sampleRatio"),
        ("core.passkeyFiles", {"hostPath": {"path": "/etc"}}, "core.passkeyFiles"),
        ("core.readDatabase.existingSecret", "standby", "core.readDatabase.to"),
        ("auditExport.url", "file:///log", "auditExport.url"),
        ("auditExport.url", "syslog+tls://siem", "auditExport.to"),
        ("auditExport.clientCertificate", True, "auditExport.tlsSecret"),
        ("tools.enabled", "yes", "tools.enabled"),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(path: str, value: object, where: str) -> None:
    errors = jsonschema_rs.validator_for(SCHEMA).iter_errors(at(values_of("minimal"), path, value))
    places = {".".join(map(str, error.instance_path)) for error in errors}
    assert where in places


@pytest.mark.parametrize("name", SETS)
def test_every_pod_is_restricted_and_has_no_token(name: str) -> None:
    for pod, _, spec in pod_templates(golden(name)):
        facts = [spec[key] for key in ("automountServiceAccountToken", "enableServiceLinks")]
        assert facts == [False, False], pod
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
        given = [volume for volume in spec["volumes"] if not {"secret", "emptyDir"} & volume.keys()]
        assert [volume["name"] for volume in given] == ["passkeys"] * (pod == "pa-core")
        for container in containers(spec):
            security = container["securityContext"]
            assert security["capabilities"] == {"drop": ["ALL"]}, pod
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}
            assert (security["allowPrivilegeEscalation"], security["privileged"]) == (False, False)
            assert (security["runAsNonRoot"], security["readOnlyRootFilesystem"]) == (True, True)
            assert security["runAsUser"] == security["runAsGroup"] == 10_001
            assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
            assert "memory" in container["resources"]["limits"]
    accounts = of_kind(golden(name), "ServiceAccount")
    assert [one["automountServiceAccountToken"] for one in accounts] == [False] * len(accounts)


@pytest.mark.parametrize("name", SETS)
def test_no_pod_holds_what_another_one_is_trusted_with(name: str) -> None:
    resources = golden(name)
    held = {
        pod: {
            (volume["secret"]["secretName"], item["key"])
            for volume in spec["volumes"]
            if "secret" in volume
            for item in volume["secret"].get("items", [{"key": "*"}])
        }
        for pod, _, spec in pod_templates(resources)
    }
    workloads = [one["metadata"]["name"] for one in of_kind(resources, "Deployment")]
    whole = [secret for pod in workloads for secret, key in held[pod] if key == "*"]
    shared = {secret for secret in whole if whole.count(secret) > 1}
    assert shared <= {"database-ca"}
    (enrollment,) = (pod for pod in workloads if pod.endswith("enrollment"))
    assert not [secret for secret, _ in held[enrollment] if "database" in secret or "broker" in secret]
    assert not [pod for pod in held if ("core-database", "owner") in held[pod] and "migrate" not in pod]


def environments(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The services of a value set, each with the variables that its pod has."""
    resources = golden(name)
    settings = {one["metadata"]["name"]: one["data"] for one in of_kind(resources, "ConfigMap")}
    for one in of_kind(resources, "Deployment"):
        (container,) = one["spec"]["template"]["spec"]["containers"]
        if container["name"] not in SERVICES:
            continue
        own = {each["name"]: each.get("value", "x") for each in container.get("env", ())}
        yield container["name"], settings[one["metadata"]["name"]] | own


@pytest.mark.parametrize("name", SETS)
def test_every_variable_of_a_pod_is_a_setting(name: str) -> None:
    for service, environment in environments(name):
        prefix = f"{service.upper()}_"
        named = {one.removeprefix(prefix) for one in environment if one.startswith(prefix)}
        settings = [one.upper() for one in SERVICES[service].settings().model_fields]
        assert named - {*settings, *(f"{one}_FILE" for one in settings)} == set()


def test_the_services_start_with_what_they_are_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    held = {
        "DATABASE_URL_FILE": "postgresql://a:b@db/c?sslmode=verify-full",
        "BUS_URL_FILE": "amqps://a:b@broker/",
        "MASTER_ENCRYPTION_KEY_FILE": "C1JNvqE8tHRMtPB8sUXC6g==",
        "DERIVATION_KEY_FILE": "C1JNvqE8tHRMtPB8sUXC6nRMtPB8sUXC6tHRMtPB8sU=",
        "_FILE": "a-secret-of-some-length",
    }
    for service, environment in environments("mesh"):
        with monkeypatch.context() as patch:
            for number, (variable, value) in enumerate(environment.items()):
                patch.setenv(variable, value)
                text = next((text for ending, text in held.items() if variable.endswith(ending)), None)
                if text is not None:
                    file = tmp_path / f"{service}-{number}"
                    file.write_text(text)
                    patch.setenv(variable, str(file))
            settings = serving_settings(SERVICES[service].settings(), service, None)
        assert (settings.environment, settings.management_port) == ("production", 9090)
