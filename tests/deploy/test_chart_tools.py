"""The chart by its tools: rendered anew, linted, validated by Kubernetes' own schemas, scored, refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from deploy_chart import CHART, GOLDEN, KUBERNETES, OBSERVABILITY, SETS, VALUES, golden, of_kind
from deploy_helm import rendered, run_tool, template

pytestmark = pytest.mark.deploy

CUSTOM = (
    "cert-manager.io/",
    "gateway.networking.k8s.io/",
    "monitoring.coreos.com/",
    "postgresql.cnpg.io/",
    "rabbitmq.com/",
)
IGNORED = (
    # A limit of processor time is left out on purpose: see `workload.resources` in values.yaml.
    "--ignore-container-cpu-limit",
    *("--kubernetes-version", "v1.34"),
)
NOT_FOR = {
    "mesh": ("--ignore-test", "pod-networkpolicy"),
    # Policies for the pods of operators, which are not rendered.
    "operators": ("--ignore-test", "networkpolicy-targets-pod"),
}


@pytest.mark.parametrize("name", SETS)
def test_the_golden_files_are_what_is_rendered(name: str) -> None:
    assert rendered(name) == (GOLDEN / f"{name}.yaml").read_text(), "run `make golden`"


@pytest.mark.parametrize("name", SETS)
def test_the_chart_is_linted(name: str) -> None:
    done = run_tool(
        "helm", "lint", CHART, "--strict", "--kube-version", KUBERNETES, "-f", VALUES / f"{name}.yaml"
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", SETS)
def test_kubernetes_knows_every_field(name: str) -> None:
    own = [one for one in golden(name) if not one["apiVersion"].startswith(CUSTOM)]
    for one in own:
        kubernetes_validate.validate(one, "1.34", strict=True)
    assert len(own) > 20


@pytest.mark.parametrize("name", SETS)
def test_nothing_is_scored_critical(name: str) -> None:
    text = (GOLDEN / f"{name}.yaml").read_text()
    done = run_tool(
        "kube-score", "score", *IGNORED, *NOT_FOR.get(name, ()), "--output-format", "json", "-", typed=text
    )
    found = [
        (scored["object_name"], check["check"]["id"], comment["summary"])
        for scored in json.loads(done.stdout)
        for check in scored["checks"]
        if check["grade"] == 1 and not check["skipped"]
        for comment in check["comments"] or [{"summary": ""}]
    ]
    assert found == []


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({}, "at '/core/database/existingSecret': minLength: got 0, want 1"),
        ({"core": {"replicas": 3}}, "at '/core': additional properties 'replicas' not allowed"),
        (
            {"core": {"workload": {"workers": "many"}}},
            "at '/core/workload/workers': got string, want integer",
        ),
        ({"tls": {"mode": "some"}}, "at '/tls/mode': value must be one of 'certManager', 'secrets', 'none'"),
        ({"core": {"settings": {"CORE_PORT": "1"}}}, "core.settings.CORE_PORT: the chart sets this itself"),
        ({"core": {"settings": {"CORE_BUS_URL": "amqp://"}}}, "core.settings.CORE_BUS_URL: is a secret"),
        ({"cloud": {"settings": {"CLOUD_PUSH_PASSWORD": "x"}}}, "belongs in a Secret"),
    ],
)
def test_wrong_values_are_refused_in_words(changes: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(changes))
    least = ("-f", VALUES / "minimal.yaml") if changes else ()
    done = template(*least, "-f", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert "amqp://" not in done.stderr


def test_an_upgrade_migrates_first_even_where_the_release_made_the_database() -> None:
    done = template("-f", VALUES / "operators.yaml", "--is-upgrade")
    jobs = of_kind(tuple(one for one in yaml.safe_load_all(done.stdout) if one), "Job")
    hooks = {one["metadata"]["name"]: "annotations" in one["metadata"] for one in jobs}
    assert {name for name, hook in hooks.items() if hook} == {
        f"pa-powerauth-migrate-{one}" for one in ("core", "cloud", "push")
    }
    first = {one["metadata"]["name"] for one in of_kind(golden("operators"), "Job")}
    assert "pa-powerauth-migrate-core-r1" in first


def test_alert_rules_and_dashboards_are_those_of_the_other_installations() -> None:
    done = template("-f", VALUES / "bank.yaml")
    resources = tuple(one for one in yaml.safe_load_all(done.stdout) if one)
    (rules,) = of_kind(resources, "PrometheusRule")
    files = sorted((OBSERVABILITY / "rules").glob("*.yaml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    assert (rules["spec"]["groups"] or []) == groups
    held = {
        file: json.loads(text)
        for one in of_kind(resources, "ConfigMap")
        if one["metadata"]["labels"]["app.kubernetes.io/component"] == "dashboards"
        for file, text in one["data"].items()
    }
    dashboards = {
        file.name: json.loads(file.read_text()) for file in (OBSERVABILITY / "dashboards").glob("*.json")
    }
    assert held == dashboards
