"""`deploy/kubernetes` and `deploy/compose-work.yaml`: valid, alike, true of the code and of one TOML file."""

import ipaddress
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from tidy.test_deploy import DEPLOY, ROOT, parsed

from mercat import ids
from mercat.cli import work
from mercat.settings import Settings, load
from mercat.shop import SERVICES, check_alone

KUBERNETES = DEPLOY / "kubernetes"
KUSTOMIZATIONS = [KUBERNETES / "base", KUBERNETES / "fleets"]
COMPOSE = yaml.safe_load((DEPLOY / "compose-work.yaml").read_text())
VERSION = "1.34"
"""The oldest with all that is used here (the sleep of preStop)."""
SETTINGS_FILE = "/etc/mercat/shop.toml"


def read(path: Path) -> list[dict[str, Any]]:
    return [each for each in yaml.safe_load_all(path.read_text()) if each]


def objects() -> list[dict[str, Any]]:
    """Every object that is written down, of the base and of the example."""
    files = [path for folder in KUSTOMIZATIONS for path in sorted(folder.glob("*.yaml"))]
    return [each for path in files if path.name != "kustomization.yaml" for each in read(path)]


def of_kind(*kinds: str) -> dict[str, dict[str, Any]]:
    return {each["metadata"]["name"]: each for each in objects() if each["kind"] in kinds}


WORKLOADS = of_kind("Deployment", "StatefulSet", "Job")
PODS = {name: each["spec"]["template"]["spec"] for name, each in WORKLOADS.items()}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
OURS = {name: each for name, each in COMPOSE["services"].items() if each["image"] == "mercat"}
WORKING = {name: each for name, each in WORKLOADS.items() if each["kind"] != "Job"}


@pytest.mark.parametrize("each", objects(), ids=lambda each: f"{each['kind']} {each['metadata']['name']}")
def test_an_object_is_one_of_kubernetes(each: dict[str, Any]) -> None:
    kubernetes_validate.validate(each, VERSION, strict=True)


def test_what_is_no_object_is_found() -> None:
    wrong = {**WORKLOADS["web"], "spec": {**WORKLOADS["web"]["spec"], "replicas": "three"}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSION, strict=True)


@pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
def test_a_kustomization_names_every_file(folder: Path) -> None:
    [told] = read(folder / "kustomization.yaml")
    named = {*told["resources"], *told["configMapGenerator"][0]["files"], "kustomization.yaml"}
    assert {path.name for path in folder.iterdir()} == {name for name in named if "/" not in name}
    assert all((folder / name).exists() for name in named)


@pytest.mark.skipif(not shutil.which("kubectl"), reason="kubectl is not installed")
def test_kustomize_makes_of_it_what_kubernetes_takes() -> None:
    done = subprocess.run(["kubectl", "kustomize", KUBERNETES / "fleets"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = [each for each in yaml.safe_load_all(done.stdout) if each]
    for each in made:
        kubernetes_validate.validate(each, VERSION, strict=True)
    [settings] = [each for each in made if each["kind"] == "ConfigMap"]
    assert settings["metadata"]["labels"]["app.kubernetes.io/name"] == "settings", "applied before the others"
    assert settings["data"]["shop.toml"] == (KUBERNETES / "fleets" / "shop.toml").read_text()
    templates = [each["spec"]["template"]["spec"] for each in made if each["metadata"]["name"] in WORKLOADS
                 and "template" in each["spec"]]  # fmt: skip
    assert len(templates) == len(WORKLOADS)
    for pod in templates:
        assert pod["containers"][0]["image"] == "registry.example/mercat:0.2.0"
        assert pod["volumes"][0]["configMap"]["name"] == settings["metadata"]["name"]


@pytest.mark.parametrize("name", CONTAINERS)
def test_kubernetes_runs_a_command_of_ours(name: str) -> None:
    run = CONTAINERS[name]["args"]
    assert run[run.index("--config") + 1] == SETTINGS_FILE
    parsed(" ".join(run).replace(SETTINGS_FILE, str(KUBERNETES / "base" / "shop.toml")))


@pytest.mark.parametrize("name", OURS)
def test_compose_runs_a_command_of_ours(name: str) -> None:
    run = OURS[name]["command"]
    parsed(" ".join(run).replace(SETTINGS_FILE, str(KUBERNETES / "base" / "shop.toml")))
    assert run == CONTAINERS[name]["args"]


@pytest.mark.parametrize("place", ["base", "fleets", "compose"])
def test_every_process_can_begin_with_its_settings(place: str, tmp_path: Path) -> None:
    """Read as the process does, with the files that its pod or container mounts."""
    folder = KUBERNETES / ("fleets" if place == "fleets" else "base")
    text = (folder / "shop.toml").read_text()
    runs = OURS if place == "compose" else CONTAINERS
    for name, each in runs.items():
        secrets = mounted_secrets(name, place)
        for number, secret in enumerate(sorted(secrets)):
            (tmp_path / secret.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / secret.lstrip("/")).write_text(f"{number}" * 40)
        (file := tmp_path / "shop.toml").write_text(text.replace("/run/", f"{tmp_path}/run/"))
        given = each.get("environment") or {v["name"]: v["value"] for v in each.get("env", [])}
        here = {key: value.replace("/run/", f"{tmp_path}/run/") for key, value in given.items()}
        settings = load({**here, "MERCAT_CONFIG": str(file), **image_variables()})
        check_alone(settings)
        assert (settings.host, settings.port, str(settings.data)) == ("0.0.0.0", 8000, "/data"), name
        assert {path.removesuffix("_file") for path in said_files(text)} <= {*Settings.__struct_fields__}
        assert ("postgres_owner_password" in str(secrets)) == (name == "migrate")
        assert bool(settings.media_s3_url) == (place != "compose")


def mounted_secrets(name: str, place: str) -> set[str]:
    if place == "compose":
        return {each["target"] for each in OURS[name]["secrets"]}
    folders = {each["name"]: each["mountPath"] for each in CONTAINERS[name]["volumeMounts"]}
    found = set(re.findall(r'"(/run/secrets/mercat/\w+)"', (KUBERNETES / "base" / "shop.toml").read_text()))
    assert folders["secrets"] == "/run/secrets/mercat"
    return found | ({f"{folders['owner']}/postgres_owner_password"} if "owner" in folders else set())


def said_files(text: str) -> set[str]:
    return {name for name in tomllib.loads(text) if name.endswith("_file")}


def image_variables() -> dict[str, str]:
    """What the image sets, which wins over the file."""
    return dict(re.findall(r"(MERCAT_\w+)=(\S+)", (DEPLOY / "Dockerfile").read_text()))


def test_the_example_has_the_settings_of_the_base_and_one_address_more() -> None:
    base, fleets = (tomllib.loads((folder / "shop.toml").read_text()) for folder in KUSTOMIZATIONS)
    assert fleets.pop("services") == {**base.pop("services"), "search": "http://search:8000"}
    assert base == fleets


def test_addresses_of_services_are_services_of_kubernetes_and_compose() -> None:
    said = tomllib.loads((KUBERNETES / "fleets" / "shop.toml").read_text())["services"]
    ports = {name: each["spec"]["ports"][0]["port"] for name, each in of_kind("Service").items()}
    for address in said.values():
        name, port = address.removeprefix("http://").split(":")
        assert ports[name] == int(port)
    assert {"reports", "postgres", "cache", "opensearch", "store"} <= COMPOSE["services"].keys()


def test_every_service_has_a_back_process_and_reports_one_with_a_disk() -> None:
    run = CONTAINERS["back"]["args"]
    assert run[run.index("--only") + 1].split(",") == ["*", "-analytics"]
    assert "analytics" in SERVICES
    assert "--only" not in CONTAINERS["reports"]["args"]
    assert WORKLOADS["reports"]["spec"]["volumeClaimTemplates"][0]["metadata"]["name"] == "data"


@pytest.mark.parametrize("name", WORKING)
def test_a_process_has_time_to_drain(name: str) -> None:
    """What preStop sleeps, what a web process takes, and some seconds more fit into the grace."""
    pod, container = PODS[name], CONTAINERS[name]
    slept = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    assert (slept > 0) == (name in of_kind("Service")), "who is asked by name is asked for a moment more"
    assert pod["terminationGracePeriodSeconds"] >= slept + work.ENDS_WITHIN_S + 5
    if name in OURS:
        assert OURS[name]["stop_grace_period"] == f"{pod['terminationGracePeriodSeconds']}s"


@pytest.mark.parametrize("name", WORKING)
def test_a_process_is_probed_kept_and_closed_in(name: str) -> None:
    container, pod = CONTAINERS[name], PODS[name]
    asked = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {kind: each["path"] for kind, each in asked.items()} == {
        "startup": "/health",
        "readiness": "/ready",
        "liveness": "/health",
    }
    assert {each["port"] for each in asked.values()} == {"http"}
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    assert of_kind("PodDisruptionBudget")[name]["spec"]["maxUnavailable"] == 1
    # Addresses of Kubernetes' own as variables would be settings that there are not.
    assert (pod["enableServiceLinks"], pod["automountServiceAccountToken"]) == (False, False)


@pytest.mark.parametrize("name", PODS)
def test_a_process_may_do_nothing_but_its_work(name: str) -> None:
    container, pod = CONTAINERS[name], PODS[name]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["securityContext"]["runAsUser"] == 10001
    assert " --uid 10001 " in (DEPLOY / "Dockerfile").read_text()
    if name in OURS:
        assert (OURS[name]["read_only"], OURS[name]["cap_drop"]) == (True, ["ALL"])


def test_only_the_door_is_open_to_others() -> None:
    policies = of_kind("NetworkPolicy")
    assert {*policies} == {"own", "door", "metrics"}
    templates = {name: each["spec"]["template"]["metadata"]["labels"] for name, each in WORKLOADS.items()}
    [part_of] = {each["app.kubernetes.io/part-of"] for each in templates.values()}
    for name in ("own", "metrics"):
        assert policies[name]["spec"]["podSelector"]["matchLabels"] == {"app.kubernetes.io/part-of": part_of}
    [(label, value)] = policies["door"]["spec"]["podSelector"]["matchLabels"].items()
    public = {name for name, labels in templates.items() if labels.get(label) == value}
    assert public == {name for name, each in CONTAINERS.items() if is_public(each["args"])}
    paths = of_kind("Ingress")["shop"]["spec"]["rules"][0]["http"]["paths"]
    assert {each["backend"]["service"]["name"] for each in paths} <= public
    published = {name for name, each in COMPOSE["services"].items() if "ports" in each}
    assert published == {"door"}


def is_public(run: list[str]) -> bool:
    return run[:2] == ["work", "web"] and "--only" not in run


def test_fleets_grow_by_what_is_full_first_and_all_of_them_can_make_ids() -> None:
    scaled = of_kind("HorizontalPodAutoscaler")
    assert {*scaled} == {name for name, each in CONTAINERS.items() if each["args"][:2] == ["work", "web"]}
    for name, each in scaled.items():
        assert "replicas" not in WORKLOADS[name]["spec"], "applying would set the fleet back"
        [measured] = each["spec"]["metrics"]
        assert measured["resource"]["name"] == "cpu"
        assert CONTAINERS[name]["resources"]["requests"]["cpu"] == "1", "a process uses one core"
    most = sum(each["spec"]["maxReplicas"] for each in scaled.values())
    most += sum(WORKLOADS[name]["spec"]["replicas"] for name in ("back", "reports"))
    assert most * 1.25 <= ids.WORKERS, "a quarter more while they are replaced"


def test_the_proxy_of_compose_is_believed() -> None:
    settings = tomllib.loads((KUBERNETES / "base" / "shop.toml").read_text())
    subnet = COMPOSE["networks"]["front"]["ipam"]["config"][0]["subnet"]
    assert subnet in settings["proxies"].split()
    assert all(ipaddress.ip_network(each) for each in settings["proxies"].split())
    assert COMPOSE["services"]["door"]["networks"] == ["front"]
    assert "front" in OURS["web"]["networks"]


def test_what_compose_names_is_there() -> None:
    for name, each in COMPOSE["services"].items():
        assert {*each.get("networks", [])} <= COMPOSE["networks"].keys(), name
        assert {*each.get("depends_on", {})} <= COMPOSE["services"].keys(), name
        mounted = [volume.split(":")[0] for volume in each.get("volumes", [])]
        assert {volume for volume in mounted if volume[0] != "."} <= COMPOSE["volumes"].keys(), name
        assert all((DEPLOY / volume).exists() for volume in mounted if volume[0] == "."), name
        wanted = [
            secret if isinstance(secret, str) else secret["source"] for secret in each.get("secrets", [])
        ]
        assert {*wanted} <= COMPOSE["secrets"].keys(), name
    ignored = (ROOT / ".gitignore").read_text()
    for secret in COMPOSE["secrets"].values():
        assert f"/deploy/{Path(secret['file']).parent}/" in ignored
