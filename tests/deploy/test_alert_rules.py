"""Prometheus' own tool takes the alert rules, and they fire when they should."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from powerauth_cli.localservers.programs import find_or_install

pytestmark = pytest.mark.deploy

HERE = Path(__file__).parent
RULES = HERE.parents[1] / "deploy" / "observability" / "rules"


def _promtool(*arguments: object) -> str:
    tool = find_or_install("promtool", (), apt_package="prometheus", brew_package="prometheus")
    done = subprocess.run([tool, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_rules_are_rules() -> None:
    assert "SUCCESS" in _promtool("check", "rules", RULES / "powerauth.yaml")


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    (tmp_path / "rules").symlink_to(RULES)
    cases = tmp_path / "alerts_test.yaml"
    cases.write_text((HERE / "alerts_test.yaml").read_text())
    assert "SUCCESS" in _promtool("test", "rules", cases)


def test_no_alert_is_without_a_case() -> None:
    rules = yaml.safe_load((RULES / "powerauth.yaml").read_text())["groups"]
    tests = yaml.safe_load((HERE / "alerts_test.yaml").read_text())["tests"]
    firing = {case["alertname"] for test in tests for case in test["alert_rule_test"] if case["exp_alerts"]}
    assert firing == {rule["alert"] for group in rules for rule in group["rules"]}
