"""deploy/kubernetes: valid manifests, of one server that has no rights and whose ports are shut."""

from __future__ import annotations

import re
from typing import Any

import kubernetes_validate
import pytest
from click.testing import CliRunner

from tests.deploy.files import DEPLOY, ROOT, read_yaml
from thalweg.cli import cli
from thalweg_server.config import Config

FOLDER = DEPLOY / "kubernetes"
OWN_KINDS = ["networkpolicy", "secret.example", "service", "statefulset"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


@pytest.fixture
def pod() -> Any:
    """The pod that the StatefulSet makes."""
    return read_yaml(FOLDER / "statefulset.yaml")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: Any) -> Any:
    """Its one container."""
    [container] = pod["containers"]
    return container


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@pytest.mark.parametrize("name", OWN_KINDS)
def test_manifests_are_what_kubernetes_takes(name: str, version: str) -> None:
    """The schemas of an old and a new version accept them, and know every field."""
    document = read_yaml(FOLDER / f"{name}.yaml")
    kubernetes_validate.validate(document, version, strict=True)


def test_all_manifests_are_applied_but_the_example() -> None:
    """The example's secret would be none; every other file is a resource."""
    files = {path.name for path in FOLDER.iterdir()}
    resources = read_yaml(FOLDER / "kustomization.yaml")["resources"]
    assert files - set(resources) == {"kustomization.yaml", "secret.example.yaml"}
    assert len(resources) == 4


def test_there_is_one_writer_with_a_volume(pod: Any, container: Any) -> None:
    """One replica, whose claim is mounted where the image keeps its data."""
    spec = read_yaml(FOLDER / "statefulset.yaml")["spec"]
    assert spec["replicas"] == 1
    [claim] = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOncePod"]
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert mounts.pop(claim["metadata"]["name"]) == "/data"
    assert set(mounts) == {each["name"] for each in pod["volumes"]}
    assert re.search(r"THALWEG_DATA_DIR=/data/", DOCKERFILE)


def test_the_pod_has_no_rights(pod: Any, container: Any) -> None:
    """It meets Kubernetes' "restricted" standard, with nothing of its root to write to."""
    everywhere, here = pod["securityContext"], container["securityContext"]
    assert everywhere["runAsNonRoot"]
    assert everywhere["runAsUser"] == everywhere["fsGroup"] == 10001
    assert "USER 10001:10001" in DOCKERFILE
    assert everywhere["seccompProfile"] == {"type": "RuntimeDefault"}
    assert here["allowPrivilegeEscalation"] is False
    assert here["readOnlyRootFilesystem"] is True
    assert here["capabilities"] == {"drop": ["ALL"]}
    assert pod["automountServiceAccountToken"] is False


def test_kubernetes_sets_no_option_of_the_server(pod: Any, container: Any) -> None:
    """A service's variables (THALWEG_PORT=tcp://…) are kept out; ours are options."""
    assert pod["enableServiceLinks"] is False
    said = CliRunner().invoke(cli, ["serve", "--help"]).stdout
    known = set(re.findall(r"THALWEG_\w+", said)) | {"THALWEG_SERVER_NAME"}
    given = {each["name"] for each in container["env"]}
    assert given
    assert given <= known


def test_a_shutdown_has_time_to_drain(pod: Any) -> None:
    """Kubernetes kills later than open streams are cut off."""
    assert pod["terminationGracePeriodSeconds"] > Config().drain_seconds_max


def test_probes_ask_the_servers_health(container: Any) -> None:
    """Starting and ready: gRPC health, by the image's own check; alive: the HTTP port."""
    script = "/usr/local/lib/thalweg/healthcheck"
    assert "COPY deploy/entrypoint deploy/healthcheck /usr/local/lib/thalweg/" in DOCKERFILE
    for probe in (container["startupProbe"], container["readinessProbe"]):
        assert probe["exec"]["command"] == [script]
        asked = re.search(r"--timeout (\d+)", (DEPLOY / "healthcheck").read_text())
        assert asked
        assert probe["timeoutSeconds"] > int(asked[1])
    alive = container["livenessProbe"]["httpGet"]
    assert (alive["path"], alive["scheme"]) == ("/healthz", "HTTPS")


def test_ports_have_one_name_everywhere(container: Any) -> None:
    """What the container opens, the service offers, the policy lets through, and is scraped."""
    opened = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert f"EXPOSE {opened['grpc']} {opened['metrics']}" in DOCKERFILE
    offered = read_yaml(FOLDER / "service.yaml")["spec"]["ports"]
    assert {each["targetPort"]: each["port"] for each in offered} == opened
    policy = read_yaml(FOLDER / "networkpolicy.yaml")["spec"]
    let_in = [port["port"] for rule in policy["ingress"] for port in rule["ports"]]
    assert sorted(let_in) == sorted(opened)
    [scraped] = read_yaml(FOLDER / "servicemonitor.yaml")["spec"]["endpoints"]
    assert scraped["port"] in {each["name"] for each in offered}


def test_nobody_is_let_in_unnamed_and_nothing_out() -> None:
    """Each rule of the policy says from where, and there is none for the way out."""
    policy = read_yaml(FOLDER / "networkpolicy.yaml")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert policy["egress"] == []
    for rule in policy["ingress"]:
        assert all(each["namespaceSelector"]["matchLabels"] for each in rule["from"])


def test_labels_lead_to_the_pod() -> None:
    """Whoever selects, selects what the StatefulSet's pods are labelled with."""
    label = {"app.kubernetes.io/name": "thalweg"}
    spec = read_yaml(FOLDER / "statefulset.yaml")["spec"]
    service = read_yaml(FOLDER / "service.yaml")
    policy = read_yaml(FOLDER / "networkpolicy.yaml")["spec"]
    monitor = read_yaml(FOLDER / "servicemonitor.yaml")["spec"]
    assert spec["template"]["metadata"]["labels"] == spec["selector"]["matchLabels"] == label
    assert service["spec"]["selector"] == policy["podSelector"]["matchLabels"] == label
    assert monitor["selector"]["matchLabels"] == service["metadata"]["labels"] == label
    assert spec["serviceName"] == service["metadata"]["name"]


def test_the_secret_has_what_the_image_and_the_scrape_read(pod: Any, container: Any) -> None:
    """All four files of the image's settings, mounted where it looks, and by one name."""
    secret = read_yaml(FOLDER / "secret.example.yaml")
    files = set(re.findall(r"/etc/thalweg/([\w.-]+)", DOCKERFILE.split("ENV PATH")[1]))
    assert set(secret["stringData"]) == files
    [volume] = [each for each in pod["volumes"] if "secret" in each]
    assert volume["secret"]["secretName"] == secret["metadata"]["name"]
    assert volume["secret"]["defaultMode"] & 0o022 == 0, "the server refuses such a token file"
    mounts = {each["name"]: each["mountPath"] for each in container["volumeMounts"]}
    assert mounts[volume["name"]] == "/etc/thalweg"
    [scraped] = read_yaml(FOLDER / "servicemonitor.yaml")["spec"]["endpoints"]
    asked = [scraped["tlsConfig"]["ca"]["secret"], scraped["authorization"]["credentials"]]
    assert all(each["name"] == secret["metadata"]["name"] for each in asked)
    assert {each["key"] for each in asked} == {"tls.crt", "metrics-token"}
