"""Helm and the other tools, as `tests/deploy/tools/build.sh` has built them.

Run as a program it renders the golden files.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from deploy_chart import CHART, DIGEST, GOLDEN, KUBERNETES, RELEASE, SETS, VALUES, digest, settled

TOOLS = Path(os.environ.get("POWERAUTH_TOOLS") or Path.home() / ".cache" / "powerauth-tools")


def run_tool(
    name: str, *arguments: object, typed: str | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end."""
    command = [str(TOOLS / name), *map(str, arguments)]
    settings = os.environ | environment
    return subprocess.run(command, input=typed, capture_output=True, text=True, check=False, env=settings)


def template(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Render the chart."""
    name, namespace = RELEASE
    return run_tool(
        "helm", "template", name, CHART, "-n", namespace, "--kube-version", KUBERNETES, *arguments
    )


def rendered(name: str) -> str:
    """What a value set makes, in the form of the golden files."""
    done = template("-f", VALUES / f"{name}.yaml")
    assert done.returncode == 0, done.stderr
    return settled(done.stdout)


if __name__ == "__main__":
    for one in SETS:
        (GOLDEN / f"{one}.yaml").write_text(rendered(one))
    DIGEST.write_text(digest() + "\n")
