"""examples/kubernetes/ is right by the published schemas, what it names is there, every setting and
secret reaches the program, and no pod may do more than it needs."""

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from ruamel.yaml import YAML

from tests.patience import patient
from tests.unit.project import ROOT, parse_command, procfile, secrets, settings, text
from worker import __version__
from worker.setup.settings import Settings, load

FOLDER = ROOT / "examples" / "kubernetes"
LABEL = {"app.kubernetes.io/name": "vigencia"}
MOUNTED = "/run/secrets/vigencia"
# The oldest that has all that is used, and the newest that is known.
VERSIONS = ("1.29", kubernetes_validate.latest_version())


@cache
def kustomization() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load(FOLDER / "kustomization.yaml")
    return found


@cache
def objects() -> tuple[dict[str, Any], ...]:
    yaml = YAML(typ="safe")
    return tuple(
        one for name in kustomization()["resources"] for one in yaml.load_all(FOLDER / name)
    )


def of(*kinds: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in objects() if one["kind"] in kinds}


def pods() -> dict[str, dict[str, Any]]:
    """The template of each pod, by the name of what makes it."""
    return {name: one["spec"]["template"] for name, one in of("Deployment", "Job").items()}


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, pod in pods().items():
        [container] = pod["spec"]["containers"]
        yield name, container


def selected(selector: Mapping[str, Any]) -> set[str]:
    """Whose pods ``selector`` is about."""
    wanted = selector.get("matchLabels", {}).items()
    ways = selector.get("matchExpressions", [])
    assert all(way["operator"] == "In" for way in ways)
    labels = {name: pod["metadata"]["labels"] for name, pod in pods().items()}
    return {
        name
        for name, own in labels.items()
        if wanted <= own.items() and all(own.get(way["key"]) in way["values"] for way in ways)
    }


def ports(name: str) -> dict[str, int]:
    [container] = pods()[name]["spec"]["containers"]
    return {port["name"]: port["containerPort"] for port in container.get("ports", [])}


def test_every_file_is_in_the_kustomization() -> None:
    files = {path.name for path in FOLDER.iterdir()} - {"kustomization.yaml"}
    assert sorted(files) == sorted(kustomization()["resources"])
    assert kustomization()["images"] == [{"name": "vigencia", "newTag": __version__}]


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_right_by_the_published_schema(version: str) -> None:
    for one in objects():
        kubernetes_validate.validate(one, version, strict=True)
    [job] = of("Job").values()
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate({**job, "spec": {**job["spec"], "backoff": 1}}, version, True)


def test_kustomize_builds_every_object() -> None:
    if (kubectl := shutil.which("kubectl")) is None:
        pytest.skip("kubectl is not installed")
    command = [kubectl, "kustomize", str(FOLDER)]
    built = subprocess.run(command, capture_output=True, timeout=patient(60), check=True)
    made = list(YAML(typ="safe").load_all(built.stdout))
    assert len(made) == len(objects())
    images = set(re.findall(rb"image: (\S+)", built.stdout))
    assert images == {f"vigencia:{__version__}".encode()}


def test_they_run_the_processes_of_the_procfile() -> None:
    ran = {tuple(container["args"]) for _, container in containers()}
    assert ran == {tuple(shlex.split(line)[1:]) for line in procfile().values()}
    for words in ran:
        parse_command(words)


def test_settings_are_settings_and_secrets_come_as_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = {env for _, env, _ in settings()} | {f"{name}_FILE".upper() for name in secrets()}
    [config] = of("ConfigMap").values()
    assert config["data"].keys() <= known
    for _, container in containers():
        assert container["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]
        assert "env" not in container
    value = {name: f"https://u:{name}@example.com/".ljust(40, "x") for name in secrets()}
    for name in secrets():
        (tmp_path / name).write_text(value[name])
    for name in os.environ:
        if name.startswith(("TWILIO_", "VONAGE_", "SENDGRID_", "SMTP_", "VIGENCIA_")):
            monkeypatch.delenv(name)
    for name, setting in config["data"].items():
        monkeypatch.setenv(name, setting.replace(MOUNTED, str(tmp_path)))
    loaded = load()
    assert {name: getattr(loaded, name).get_secret_value() for name in secrets()} == value


def test_no_secret_is_in_them() -> None:
    assert not of("Secret")
    for name, pod in pods().items():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        assert volumes["secrets"]["secret"]["secretName"] == "vigencia", name
        [container] = pod["spec"]["containers"]
        mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
        assert set(mounts) == set(volumes)
        assert (mounts["secrets"]["mountPath"], mounts["secrets"]["readOnly"]) == (MOUNTED, True)


@pytest.mark.parametrize("name", list(pods()))
def test_no_pod_may_do_more_than_it_needs(name: str) -> None:
    pod = pods()[name]["spec"]
    assert pod["serviceAccountName"] in of("ServiceAccount")
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False, "VIGENCIA_WEB_PORT would be refused as no setting"
    context = pod["securityContext"]
    assert (context["runAsNonRoot"], context["runAsUser"]) == (True, 10001)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    [container] = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
    assert "memory" in container["resources"]["limits"]
    assert "/tmp" in {mount["mountPath"] for mount in container["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert context["fsGroup"] == context["runAsGroup"]
    assert volumes["secrets"]["secret"]["defaultMode"] == 0o440, "for the group alone"


@pytest.mark.parametrize("name", list(of("Deployment")))
def test_probes_ask_the_process_that_runs(name: str) -> None:
    pod = pods()[name]["spec"]
    patience = Settings.model_fields["worker"].default.shutdown_seconds
    assert pod["terminationGracePeriodSeconds"] >= patience + 10
    [container] = pod["containers"]
    probes = [container["startupProbe"], container["livenessProbe"]]
    if name == "vigencia-web":
        for probe in (*probes, container["readinessProbe"]):
            assert probe["httpGet"] == {"path": "/healthz", "port": "http"}
        assert ports(name) == {"http": Settings.model_fields["web"].default.port}
        return
    [part] = container["args"]
    for probe in probes:
        program, *words = probe["exec"]["command"]
        assert program == "vigencia"
        assert parse_command(words).params["live"] == part
    default = getattr(Settings.model_fields["metrics"].default, f"{part}_port")
    assert ports(name) == {"metrics": default}


def test_what_selects_pods_finds_those_it_means() -> None:
    for name, one in of("Deployment").items():
        assert selected(one["spec"]["selector"]) == {name}
        [spread] = pods()[name]["spec"]["topologySpreadConstraints"]
        assert selected(spread["labelSelector"]) == {name}
    budgets = {n: selected(one["spec"]["selector"]) for n, one in of("PodDisruptionBudget").items()}
    assert budgets == {name: {name} for name in of("Deployment")}
    for name, service in of("Service").items():
        [found] = selected({"matchLabels": service["spec"]["selector"]})
        assert found == name
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports(found).keys()
    for one in objects():
        assert one["metadata"]["labels"].items() >= LABEL.items()


def test_network_policies_shut_everything_and_open_what_is_used() -> None:
    policies = {n: one["spec"] for n, one in of("NetworkPolicy").items()}
    about = {name: selected(policy["podSelector"]) for name, policy in policies.items()}
    shut = policies.pop("vigencia")
    assert about.pop("vigencia") == set(pods())
    assert shut["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in shut
    assert about == {
        "vigencia-providers": {"vigencia-scheduler", "vigencia-worker"},
        "vigencia-web": {"vigencia-web"},
        "vigencia-metrics": {"vigencia-scheduler", "vigencia-worker"},
    }
    for name in ("vigencia-web", "vigencia-metrics"):
        for rule in policies[name]["ingress"]:
            assert rule["from"], "from everywhere, else"
            for pod in about[name]:
                assert {port["port"] for port in rule["ports"]} <= ports(pod).keys()


def test_the_guide_counts_the_connections_that_they_may_have() -> None:
    [scaler] = of("HorizontalPodAutoscaler").values()
    [config] = of("ConfigMap").values()
    processes = int(config["data"]["VIGENCIA_WORKER__PROCESSES"])
    of_workers = scaler["spec"]["maxReplicas"] * processes * 18
    schedulers, webs = (
        of("Deployment")[f"vigencia-{name}"]["spec"]["replicas"] for name in ("scheduler", "web")
    )
    needed = of_workers + schedulers * 3 + webs * 18 + 2 + 3
    [told] = re.findall(r"PostgreSQL needs (\d+)\s+connections", text("docs/deployment.md"))
    assert int(told) == needed


def test_the_autoscaler_scales_what_is_there() -> None:
    [scaler] = of("HorizontalPodAutoscaler").values()
    target = scaler["spec"]["scaleTargetRef"]
    [found] = [one for one in objects() if one["metadata"]["name"] == target["name"]][:1]
    assert (found["kind"], found["apiVersion"]) == (target["kind"], target["apiVersion"])
    assert "replicas" not in found["spec"], "else each apply would undo what was scaled"
