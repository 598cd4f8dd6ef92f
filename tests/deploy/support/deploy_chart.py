"""The Helm chart, the value sets that it is rendered with, and what was rendered."""

from __future__ import annotations

import hashlib
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "deploy" / "helm" / "powerauth"
VALUES = Path(__file__).parents[1] / "values"
GOLDEN = Path(__file__).parents[1] / "golden"
DIGEST = GOLDEN / "DIGEST"
SETS = tuple(sorted(path.stem for path in VALUES.glob("*.yaml")))
RELEASE = ("pa", "powerauth")
"""Name and namespace that everything is rendered for."""
KUBERNETES = "1.34.0"
OBSERVABILITY = ROOT / "deploy" / "observability"
"""Alert rules and dashboards, which the chart's ``files`` are."""

Resource = dict[str, Any]


def digest() -> str:
    """Of the rendered files and all that they are made of."""
    parts = hashlib.sha256()
    files = [path for path in CHART.rglob("*") if path.is_file() and path.name != "README.md"]
    files = [path for path in files if (CHART / "files") not in path.parents]
    for path in sorted([*files, *VALUES.glob("*.yaml"), *GOLDEN.glob("*.yaml")]):
        parts.update(f"{path.relative_to(ROOT)}\n".encode() + path.read_bytes())
    return parts.hexdigest()


def merged(values: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Values with others over them, as Helm does it: mappings are merged, all else is replaced."""
    both = {
        name: merged(values[name], over[name])
        for name in values.keys() & over.keys()
        if isinstance(values[name], dict) and isinstance(over[name], dict)
    }
    return {**values, **over, **both}


def values_of(name: str) -> dict[str, Any]:
    """The chart's values with a set over them."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    return merged(defaults, yaml.safe_load((VALUES / f"{name}.yaml").read_text()))


def settled(rendered: str) -> str:
    """What Helm has rendered in one form, without what it makes at random or takes from other folders."""
    documents = [one for one in yaml.load_all(rendered, yaml.CSafeLoader) if one and not _is_dashboard(one)]
    for one in documents:
        if one["kind"] == "Secret":
            one["data"] = dict.fromkeys(sorted(one["data"]), "bWFkZSBvbmNl")
        if one["kind"] == "PrometheusRule":
            one["spec"]["groups"] = []
    documents.sort(key=lambda one: (one["kind"], one["metadata"]["name"]))
    return str(yaml.dump_all(documents, Dumper=yaml.CSafeDumper, sort_keys=True, width=120))


def _is_dashboard(resource: Resource) -> bool:
    return str(resource["metadata"]["labels"]["app.kubernetes.io/component"]) == "dashboards"


@cache
def golden(name: str) -> tuple[Resource, ...]:
    """What is rendered with a value set."""
    return tuple(yaml.load_all((GOLDEN / f"{name}.yaml").read_text(), yaml.CSafeLoader))


def of_kind(resources: tuple[Resource, ...], *kinds: str) -> list[Resource]:
    """Those of some kinds."""
    return [one for one in resources if one["kind"] in kinds]


def pod_templates(resources: tuple[Resource, ...]) -> Iterator[tuple[str, Resource, Resource]]:
    """Every kind of pod that is made: name, metadata, spec."""
    for one in of_kind(resources, "Deployment", "Job"):
        template = one["spec"]["template"]
        yield one["metadata"]["name"], template["metadata"], template["spec"]
    for one in of_kind(resources, "Pod"):
        yield one["metadata"]["name"], one["metadata"], one["spec"]


def containers(spec: Resource) -> list[Resource]:
    """All of a pod."""
    return [*spec.get("initContainers", ()), *spec["containers"]]


def generated_readme() -> str:
    """The chart's README as its values say it."""
    text: str = runpy.run_path(str(ROOT / "scripts" / "chart_readme.py"))["readme"]()
    return text
