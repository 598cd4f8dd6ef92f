"""deploy/compose and deploy/systemd: who reaches whom, what each is told, what is taken away from it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from ipaddress import ip_address, ip_network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from deploy_helm import TOOLS

from powerauth_cli.services import SERVICES
from servicekit.authority import Authority
from servicekit.startup import judge_settings, unknown_variables

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
VARIABLE = re.compile(r"\$\{(?P<name>\w+)(?::(?P<how>[-?])(?P<text>[^}]*))?\}")
IMAGES = {"powerauth-core", "powerauth-cloud", "powerauth-push", "powerauth-enrollment", "powerauth-tools"}
FILES_OF_TLS = {"public-certificate", "public-key", "bank-certificate", "bank-key"}
MOST_EXPOSED = 2.0


def compose_text() -> str:
    """The file with its variables as they are when nothing but the release is set."""
    text = (DEPLOY / "compose" / "compose.yaml").read_text()
    return VARIABLE.sub(lambda found: found["text"] if found["how"] == "-" else "1.0.0", text)


@pytest.fixture(scope="module")
def compose() -> Any:
    return yaml.safe_load(compose_text())


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("secrets")
    for _ in range(2):
        subprocess.run([DEPLOY / "host/secrets.sh", folder, "db:5432", "bus:5672"], check=True)
    return folder


def networks_of(service: Mapping[str, Any]) -> set[str]:
    return set(service["networks"])


def test_enrollment_reaches_the_dmz_door_and_push_and_nothing_else(compose: Any) -> None:
    services = compose["services"]
    lasting = [name for name in services if services[name].get("restart") == "unless-stopped"]
    pairs = {
        frozenset(pair)
        for pair in combinations(lasting, 2)
        if networks_of(services[pair[0]]) & networks_of(services[pair[1]]) - {"egress"}
    }
    reached = {one: {other for pair in pairs if one in pair for other in pair - {one}} for one in lasting}
    assert reached["enrollment"] == {"proxy", "core", "push"}
    assert reached["proxy"] == {"enrollment"}
    assert reached["cloud"] == {"core", "push", "postgres", "rabbitmq"}
    closed = {name for name, network in compose["networks"].items() if (network or {}).get("internal")}
    assert closed == {"dmz", "internal"}
    assert all(networks_of(services[name]) == {"internal"} for name in services if name not in lasting)


def test_the_doors_of_the_core_listen_on_different_networks(compose: Any) -> None:
    subnets = {
        name: ip_network(network["ipam"]["config"][0]["subnet"])
        for name, network in compose["networks"].items()
        if "ipam" in network
    }
    services = compose["services"]
    for service in services.values():
        for network, own in dict.items(service["networks"]) if isinstance(service["networks"], dict) else ():
            assert not own or ip_address(own["ipv4_address"]) in subnets[network]
    core, push = services["core"]["environment"], services["push"]["environment"]
    for address in (core["CORE_HOST"], core["CORE_MANAGEMENT_HOST"], push["PUSH_MANAGEMENT_HOST"]):
        assert ip_address(address) in subnets["internal"]
    assert ip_address(core["CORE_DMZ_HOST"]) in subnets["dmz"]


def test_containers_are_given_what_they_need_alone(compose: Any, secrets: Path) -> None:
    made = {path.name for path in secrets.iterdir()}
    named = {name: Path(one["file"]).name for name, one in compose["secrets"].items()}
    assert {file for name, file in named.items() if name not in FILES_OF_TLS} == made
    for name, service in compose["services"].items():
        granted = [one if isinstance(one, str) else one["source"] for one in service.get("secrets", ())]
        assert set(granted) <= set(named)
        used = re.findall(r"/run/secrets/([\w-]+)", str([service.get("environment"), service.get("command")]))
        if name != "proxy" and "databases" not in granted and "broker" not in granted:
            assert sorted(used) == sorted(granted), name
    assert set(compose["services"]["enrollment"]["secrets"]) == {
        "enrollment-core-client-secret",
        "enrollment-push-client-secret",
    }


def test_containers_of_ours_have_nothing_to_write_and_no_privileges(compose: Any) -> None:
    ours = [one for one in compose["services"].values() if one["image"].partition(":")[0] in IMAGES]
    assert len(ours) > 10
    for service in ours:
        assert service["user"] == "10001:10001"
        assert service["read_only"] is True
    for service in compose["services"].values():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]


def environments(compose: Any, secrets: Path, tls: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """What each service is told, by either way; secrets lie where they were made."""
    for service in SERVICES:
        told = {name: str(value) for name, value in compose["services"][service]["environment"].items()}
        told |= {f"{service.upper()}_ENVIRONMENT": "production", f"{service.upper()}_MANAGEMENT_PORT": "9090"}
        for name, value in told.items():
            if name.endswith("_FILE") or "_TLS_" in name:
                secret = value.removeprefix("/run/secrets/")
                told[name] = str(tls / secret if "bank" in secret else secrets / secret)
        yield service, told
        unit = (UNITS / f"powerauth-{service}.service").read_text()
        lines = (
            re.findall(r"^Environment=(.*)$", unit, re.M)
            + (UNITS / f"env/{service}.env").read_text().splitlines()
        )
        pairs = (line.partition("=")[::2] for line in lines if not line.startswith("#"))
        yield service, {name: value.replace("%d", str(secrets)) for name, value in pairs}


def test_every_service_would_start_in_production_as_it_is_told(
    compose: Any, secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = Authority(tmp_path).issue("bank")
    assert files.certificate
    assert files.key
    shutil.copy(files.certificate, tmp_path / "bank-certificate")
    shutil.copy(files.key, tmp_path / "bank-key")
    for service, told in environments(compose, secrets, tmp_path):
        settings_class = SERVICES[service].settings()
        assert unknown_variables(settings_class, told) == []
        with monkeypatch.context() as patched:
            for name in [name for name in os.environ if name.startswith(f"{service.upper()}_")]:
                patched.delenv(name)
            for name, value in told.items():
                patched.setenv(name, value)
            judge_settings(settings_class)


def test_units_hand_out_what_is_made_to_users_that_exist(secrets: Path) -> None:
    users = set(re.findall(r"^u (\S+)", (UNITS / "powerauth.sysusers.conf").read_text(), re.M))
    made = {path.name for path in secrets.iterdir()}
    units = list(UNITS.glob("*.service"))
    assert len(units) == 7
    for unit in units:
        text = unit.read_text()
        given = dict(re.findall(r"^LoadCredential=([\w-]+):/etc/powerauth/credentials/(\S+)", text, re.M))
        used = set(re.findall(r"%d/([\w-]+)", text))
        assert used == set(given), unit.name
        assert {name for name in given.values() if "%i" not in name} <= made
        user = re.search(r"^User=(\S+)", text, re.M)
        assert user is not None
        assert user[1] in users or user[1] == "powerauth-%i"
    enrollment = (UNITS / "powerauth-enrollment.service").read_text()
    assert "IPAddressDeny=any" in enrollment
    told = (UNITS / "env/enrollment.env").read_text()
    allowed = re.search(r"^IPAddressAllow=(.*)$", enrollment, re.M)
    assert allowed is not None
    assert set(re.findall(r"127\.[\d.]+\d", told)) == set(allowed[1].split())


def test_containers_run_the_commands_of_the_units_which_are_followed_to_an_approval(compose: Any) -> None:
    """By tests/e2e/test_installing.py; the secrets lie elsewhere, and a unit is one for all databases."""
    ran = "\n".join(unit.read_text() for unit in UNITS.glob("*.service"))
    of_units = set(re.findall(r"^ExecStart=/opt/powerauth/tools/bin/powerauth (.*)$", ran, re.M))
    of_units |= {f"db migrate {database}" for database in ("core", "cloud", "push")}
    of_containers = {
        " ".join(service["command"]).replace("/run/secrets/", "%d/")
        for service in compose["services"].values()
        if service["image"].startswith("powerauth-tools:")
    }
    assert of_containers == of_units - {"db migrate %i"}


@pytest.mark.deploy
def test_the_service_manager_takes_the_units_and_finds_them_closed() -> None:
    for unit in sorted(UNITS.glob("*.service")):
        said = subprocess.run(
            ["systemd-analyze", "security", "--offline=true", "--no-pager", unit],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
        assert exposure is not None
        assert float(exposure[1]) < MOST_EXPOSED, unit.name
    units = [*UNITS.glob("*.service"), *UNITS.glob("*.timer")]
    verified = subprocess.run(
        ["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False
    )
    complaints = [line for line in verified.stderr.splitlines() if "is not executable" not in line]
    assert complaints == []


@pytest.mark.deploy
def test_the_compose_file_is_one_by_its_specification(tmp_path: Path) -> None:
    (tmp_path / "compose.yaml").write_text(compose_text())
    check = (TOOLS / "compose-check", "--no-interpolation", "compose.yaml")
    checked = subprocess.run(check, cwd=tmp_path, capture_output=True, check=False)
    assert checked.returncode == 0, checked.stderr
