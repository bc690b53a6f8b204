"""deploy/compose.yaml: it is one, and every path, flag and image in it is real."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.deploy.files import DEPLOY, ROOT, read_yaml
from thalweg.cli import cli

COMPOSE = DEPLOY / "compose.yaml"
SERVICES: dict[str, Any] = read_yaml(COMPOSE)["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_it_is_a_compose_file() -> None:
    """The Compose specification's own schema accepts it."""
    tool = Path(sys.executable).with_name("check-jsonschema")
    command = [str(tool), "--builtin-schema", "vendor.compose-spec", str(COMPOSE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_volume_is_a_path_that_exists_or_declared() -> None:
    """Docker would make a folder where a file is missing, and start with it."""
    declared, used = set(read_yaml(COMPOSE)["volumes"]), set()
    for service in SERVICES.values():
        for mount in service["volumes"]:
            source, target, *mode = mount.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
                assert mode == ["ro"], f"{source} would be written to"
            else:
                used.add(source)
    assert used == declared


def test_every_image_has_a_version() -> None:
    """None is `latest`, said or unsaid; our own is built from the checkout."""
    for service in SERVICES.values():
        tag = service["image"].split(":")[1]
        if "build" in service:
            assert (DEPLOY / service["build"]["context"]).resolve() == ROOT
        else:
            assert re.fullmatch(r"v?\d+\.\d+\.\d+", tag)


def test_ports_are_published_on_loopback_only() -> None:
    """Prometheus and Grafana ask nobody for a password."""
    ports = [port for service in SERVICES.values() for port in service.get("ports", ())]
    assert {port.rsplit(":", 1)[1] for port in ports} == {"50051", "9464", "9090", "3000"}
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_has_privileges(name: str) -> None:
    """No capability, and none to be had; ours write to volumes and /tmp only."""
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") or name == "grafana"


def test_the_server_takes_every_option_it_is_given() -> None:
    """Each flag is in `thalweg serve --help`, and none of them opens a door."""
    said = CliRunner().invoke(cli, ["serve", "--help"]).stdout
    flags = [each for each in SERVICES["thalweg"]["command"] if each.startswith("--")]
    assert flags
    for flag in flags:
        assert re.search(rf"(?m)^  {flag}\b", said), flag
        assert "insecure" not in flag
    assert SERVICES["thalweg"]["command"][0] == "serve"


def test_prometheus_takes_no_option_that_does_not_exist() -> None:
    """And it keeps samples for longer than the 28 days that alerts look back."""
    flags = dict(each.split("=") for each in SERVICES["prometheus"]["command"])
    known = {"--config.file", "--storage.tsdb.path", "--storage.tsdb.retention.time"}
    assert set(flags) == known
    assert int(flags["--storage.tsdb.retention.time"].removesuffix("d")) > 28
    mounts = {each.split(":")[1] for each in SERVICES["prometheus"]["volumes"]}
    assert {flags["--config.file"], flags["--storage.tsdb.path"]} <= mounts


def test_prometheus_finds_the_server_and_its_keys() -> None:
    """Its target is the service's name and port; its files are in the volume that it mounts."""
    [scrape] = read_yaml(DEPLOY / "prometheus" / "prometheus.yml")["scrape_configs"]
    [[target]] = [each["targets"] for each in scrape["static_configs"]]
    host, port = target.split(":")
    assert host in SERVICES
    assert f"127.0.0.1:{port}:{port}" in SERVICES[host]["ports"]
    assert f"EXPOSE 50051 {port}" in DOCKERFILE
    volumes = SERVICES["prometheus"]["volumes"]
    assert "keys:/etc/thalweg:ro" in volumes
    assert "10001" in SERVICES["prometheus"]["group_add"]
    files = [scrape["tls_config"]["ca_file"], scrape["authorization"]["credentials_file"]]
    assert {str(Path(each).parent) for each in files} == {"/etc/thalweg"}
    assert host in SERVICES["keys"]["entrypoint"], "the certificate lacks the name scraped"


def test_the_keys_are_made_by_the_script_where_the_image_looks_for_them() -> None:
    """The one-shot service runs deploy/make-keys for the folder of the image's settings."""
    shell, script, folder, *_ = SERVICES["keys"]["entrypoint"]
    assert shell == "/bin/sh"
    assert f"./make-keys:{script}:ro" in SERVICES["keys"]["volumes"]
    assert os.access(DEPLOY / "make-keys", os.X_OK)
    assert f"keys:{folder}" in SERVICES["keys"]["volumes"]
    assert f"keys:{folder}:ro" in SERVICES["thalweg"]["volumes"]
    settings = re.findall(rf"{folder}/([\w.-]+)", DOCKERFILE.split("ENV PATH")[1])
    assert {"tokens.json", "tls.crt", "tls.key", "metrics-token"} == set(settings)
    written = (DEPLOY / "make-keys").read_text()
    assert all(name in written for name in settings)
    depends = SERVICES["thalweg"]["depends_on"]["keys"]["condition"]
    assert depends == "service_completed_successfully"
