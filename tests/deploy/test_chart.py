"""The chart: rendered by Helm itself, and each rendering held to the schemas and the standards."""

import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.operator_schema import complaints
from tests.deploy.servers import ROOT
from tests.deploy.tools import checkov, helm, run

CHART = ROOT / "deploy/helm/baseten-watchdog"
KUBERNETES = "1.36.0"

EVERYTHING = {
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True},
    "networkPolicy": {"enabled": True},
    "env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "imagePullSecrets": [{"name": "registry"}],
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "ml"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "high",
}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "postgres": {"postgres": {"enabled": True}},
    "everything": EVERYTHING,
    "everything-on-postgres": {**EVERYTHING, "postgres": {"enabled": True}, "replicas": 3},
    "own-claim": {"persistence": {"existingClaim": "mine"}},
    "other-class": {"persistence": {"storageClassName": "fast", "size": "5Gi"}},
}

OPERATOR = ("PodMonitor", "PrometheusRule")
"""The kinds that are not Kubernetes' own."""

REASONS = {
    "CKV_K8S_11": "a CPU limit only throttles; the request is what is needed",
    "CKV_K8S_15": "a tag of this project's is never moved",
    "CKV_K8S_35": "the database's URL is a setting, and comes by environment; the key is a file",
    "CKV_K8S_43": "the digest is known where the image is pushed, not here",
    "CKV2_K8S_6": "the NetworkPolicy is an option: not every cluster enforces them",
}


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    answer = helm("render", CHART, values)
    assert "refused" not in answer, answer
    texts = [text for path, text in sorted(answer.items()) if path.endswith(".yaml")]
    parts = chain.from_iterable(yaml.safe_load_all(text) for text in texts)
    return [part for part in parts if part]


def of_kind(kind: str, values: dict[str, Any]) -> dict[str, Any]:
    (found,) = (part for part in rendered(values) if part["kind"] == kind)
    return found


def pod(values: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = of_kind("Deployment", values)["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_helm_finds_nothing_wrong_with_it(values: dict[str, Any]) -> None:
    report = helm("lint", CHART, values)
    serious = [each for each in report["messages"] if each["severity"] > 1]
    assert (serious, report["errors"]) == ([], [])


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"replica": 3}, "replica"),
        ({"replicas": 0}, "replicas"),
        ({"postgres": {"enabled": "yes"}}, "enabled"),
        ({"persistence": {"size": "big"}}, "size"),
        ({"apiKey": {"secretName": ""}}, "secretName"),
        ({"podMonitor": {"interval": "often"}}, "interval"),
        ({"config": "models: []"}, "config"),
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any], says: str) -> None:
    assert says in helm("render", CHART, values)["refused"]


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_each_rendering_fits_the_schemas(values: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "manifests.yaml"
    parts = rendered(values)
    path.write_text(yaml.safe_dump_all(part for part in parts if part["kind"] not in OPERATOR))
    checked = run("kubernetes-validate", "--strict", "-k", KUBERNETES, path)
    said = checked.stdout + checked.stderr
    assert checked.returncode == 0, said
    assert "couldn't find schema" not in said


@pytest.mark.parametrize("kind", OPERATOR)
def test_the_prometheus_operators_kinds_fit_its_own_schema(kind: str, tmp_path: Path) -> None:
    manifest = of_kind(kind, EVERYTHING)
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    assert complaints(manifest, good) == []
    bad.mkdir()
    assert complaints({**manifest, "spec": {**manifest["spec"], "selektor": {}}}, bad) != []


@pytest.mark.parametrize("name", ["default", "everything-on-postgres"])
def test_checkov_finds_nothing_without_a_reason(name: str, tmp_path: Path) -> None:
    path = tmp_path / "manifests.yaml"
    path.write_text(yaml.safe_dump_all(rendered(VARIANTS[name])))
    assert checkov(path, "kubernetes", REASONS) == []


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_it_keeps_the_restricted_pod_security_standard(values: dict[str, Any]) -> None:
    spec = pod(values)
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not set(spec) & {"hostNetwork", "hostPID", "hostIPC", "initContainers"}
    volumes = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert volumes <= {"configMap", "secret", "persistentVolumeClaim"}
    for container in spec["containers"]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own["readOnlyRootFilesystem"] is True
        assert all("hostPort" not in port for port in container["ports"])
    assert spec["automountServiceAccountToken"] is False


def test_one_replica_on_a_volume_or_several_on_postgres() -> None:
    alone, several = of_kind("Deployment", {}), of_kind("Deployment", VARIANTS["postgres"])
    assert (alone["spec"]["replicas"], alone["spec"]["strategy"]) == (1, {"type": "Recreate"})
    assert several["spec"]["replicas"] == 2
    assert of_kind("PersistentVolumeClaim", {})["spec"]["accessModes"] == ["ReadWriteOnce"]
    kinds = {part["kind"] for part in rendered(VARIANTS["postgres"])}
    assert "PersistentVolumeClaim" not in kinds
    budget = of_kind("PodDisruptionBudget", VARIANTS["postgres"])["spec"]
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
    assert len(pod(VARIANTS["postgres"])["topologySpreadConstraints"]) == 2
    variables = {each["name"]: each for each in pod(VARIANTS["postgres"])["containers"][0]["env"]}
    url = variables["BASETEN_WATCHDOG_STORE__URL"]["valueFrom"]["secretKeyRef"]
    assert url == {"name": "baseten-watchdog-postgres", "key": "url"}


def test_the_daemon_accepts_the_configuration_word_for_word(tmp_path: Path) -> None:
    config = {"mode": "retry", "models": [{"id": "abc12345"}], "policy": {"first_delay": "3m"}}
    text = of_kind("ConfigMap", {"config": config})["data"]["config.yaml"]
    assert yaml.safe_load(text) == {
        "mode": "retry",
        "models": [{"id": "abc12345"}],
        "policy": {"first_delay": "3m", "standing": "ignore"},
        "server": {"host": "::"},
    }
    path = tmp_path / "config.yaml"
    path.write_text(text)
    checked = subprocess.run(
        [sys.executable, "-m", "watchdog", "config", "check", path], check=False, cwd=ROOT
    )
    assert checked.returncode == 0


def test_by_default_it_observes_and_leaves_standing_failures_alone() -> None:
    config = yaml.safe_load(of_kind("ConfigMap", {})["data"]["config.yaml"])
    assert (config["mode"], config["policy"]["standing"]) == ("observe", "ignore")


def test_its_rules_are_the_projects() -> None:
    rules = of_kind("PrometheusRule", EVERYTHING)["spec"]
    assert rules == yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())


def test_what_is_generated_is_current(tmp_path: Path) -> None:
    made = run("python", ROOT / "deploy/helm/generate.py", tmp_path)
    assert made.returncode == 0, made.stderr
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 4
    for name in files:
        assert (ROOT / "deploy" / name).read_text() == (tmp_path / name).read_text(), name


def test_kubectl_builds_the_kustomization() -> None:
    built = run("kubectl", "kustomize", ROOT / "deploy/kubernetes")
    assert built.returncode == 0, built.stderr
    kinds = [part["kind"] for part in yaml.safe_load_all(built.stdout)]
    assert sorted(kinds) == ["ConfigMap", "Deployment", "PersistentVolumeClaim"]


def test_the_readme_has_every_value() -> None:
    readme = (CHART / "README.md").read_text()
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name, value in values.items():
        if name in ("config", "resources", "env") or not isinstance(value, dict) or not value:
            assert f"`{name}`" in readme, name
        else:
            for key in value:
                assert f"`{name}.{key}`" in readme or f"`.{key}`" in readme, f"{name}.{key}"


NUMBERS: dict[str, dict[str, Any]] = {
    "volume": {
        "apiKey": {"secretName": "0123", "secretKey": "0x1"},
        "persistence": {"storageClassName": "0123"},
        "priorityClassName": "1e3",
    },
    "own-claim": {"persistence": {"existingClaim": "0123"}},
    "postgres": {"postgres": {"enabled": True, "secretName": "0123", "secretKey": "0123"}},
}


def _texts(part: object) -> set[str]:
    if isinstance(part, dict):
        return set().union(*(_texts(each) for each in part.values()))
    if isinstance(part, list):
        return set().union(*(_texts(each) for each in part))
    return {part} if isinstance(part, str) else set()


@pytest.mark.parametrize("values", NUMBERS.values(), ids=NUMBERS.keys())
def test_values_that_look_like_numbers_stay_texts(values: dict[str, Any]) -> None:
    assert _texts(values) <= _texts(rendered(values))


def test_no_storage_class_can_be_asked_for() -> None:
    claim = of_kind("PersistentVolumeClaim", {"persistence": {"storageClassName": "-"}})
    assert claim["spec"]["storageClassName"] == ""


def test_versions_with_build_metadata_make_labels_and_a_tag(tmp_path: Path) -> None:
    copy = tmp_path / "baseten-watchdog"
    shutil.copytree(CHART, copy)
    about = yaml.safe_load((copy / "Chart.yaml").read_text())
    about |= {"version": "0.1.0+5a3c", "appVersion": "0.1.0+5a3c"}
    (copy / "Chart.yaml").write_text(yaml.safe_dump(about))
    answer = helm("render", copy, {})
    (text,) = (each for path, each in answer.items() if path.endswith("deployment.yaml"))
    deployment = yaml.safe_load(text)
    labels = deployment["metadata"]["labels"]
    assert labels["helm.sh/chart"] == "baseten-watchdog-0.1.0_5a3c"
    assert labels["app.kubernetes.io/version"] == "0.1.0_5a3c"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "baseten-watchdog:0.1.0_5a3c"


def test_the_network_policy_lets_it_reach_its_proxy() -> None:
    extra = {"ports": [{"port": 8443, "protocol": "TCP"}]}
    values = {**EVERYTHING, "networkPolicy": {"enabled": True, "extraEgress": [extra]}}
    rules = of_kind("NetworkPolicy", values)["spec"]["egress"]
    assert {"ports": [{"port": 3128, "protocol": "TCP"}]} in rules
    assert extra in rules


def test_as_a_subchart_it_may_be_enabled() -> None:
    assert "refused" not in helm("render", CHART, {"enabled": True})


@pytest.mark.parametrize(
    ("config", "said"),
    [({}, True), ({"models": [{"id": "m1"}]}, False), ({"discovery": {"include": ["*"]}}, False)],
)
def test_the_notes_say_that_nothing_is_watched_where_that_is_so(
    config: dict[str, Any], said: bool
) -> None:
    (notes,) = (
        text
        for path, text in helm("render", CHART, {"config": config}).items()
        if path.endswith("NOTES.txt")
    )
    assert ("It watches no model yet" in notes) is said
