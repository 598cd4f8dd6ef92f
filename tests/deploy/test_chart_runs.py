"""What the chart renders does its job: its Jobs and services run here on real servers, `helm test` passes."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from deploy_chart import VALUES, of_kind
from deploy_helm import template
from deploy_pods import Node, ready

from powerauth_cli.separate import new_database

pytestmark = pytest.mark.deploy


async def test_an_installation_activates_and_approves(tmp_path: Path) -> None:
    done = template("-f", VALUES / "mesh.yaml", "--set", "tests.enabled=true")
    assert done.returncode == 0, done.stderr
    resources = tuple(one for one in yaml.safe_load_all(done.stdout) if one)
    given = {"broker": {"url": os.environ["TEST_RABBITMQ_URL"]}}
    for service in ("core", "cloud", "push"):
        url = await new_database(os.environ["TEST_POSTGRES_URL"], f"chart_{service}_{uuid4().hex}")
        given[f"{service}-database"] = {"url": url.replace("+asyncpg", "")}
    node = Node(resources, given, tmp_path)
    jobs = {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in of_kind(resources, "Job")}
    for name in (name for name in jobs if "migrate" in name):
        assert "The schema is current" in await node.run(name, jobs[name])
    async with contextlib.AsyncExitStack() as pods:
        ports = [
            await pods.enter_async_context(
                node.serving(one["metadata"]["name"], one["spec"]["template"]["spec"])
            )
            for one in of_kind(resources, "Deployment")
        ]
        for name in (name for name in jobs if "accounts" in name):
            await node.run(name, jobs[name])
        for port in ports:
            await ready(port)
        (test,) = of_kind(resources, "Pod")
        said = json.loads(await node.run("test", test["spec"]))
    assert said["status"] == "APPROVED"
