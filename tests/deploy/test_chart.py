"""The chart: rendered by Helm itself, and each rendering held to the schemas and the standards."""

import re
import shutil
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.helm.values import values as chart_values
from tests.deploy.operator_schema import complaints
from tests.deploy.servers import ROOT
from tests.deploy.tools import checkov, helm, renderings, run

CHART = ROOT / "deploy/helm/baseten-watchdog"
KUBERNETES = "1.36.0"

CERTIFICATE = {"name": "more", "configMap": {"name": "more"}}
RELABELING = {"targetLabel": "site", "replacement": "here"}
MONITOR = {
    "enabled": True,
    "interval": "30s",
    "scrapeTimeout": "9s",
    "labels": {"release": "prometheus"},
    "relabelings": [RELABELING],
    "metricRelabelings": [RELABELING],
}
HELPER = {
    "name": "helper",
    "image": "registry/helper:1",
    "resources": {"requests": {"cpu": "1m", "memory": "1Mi"}, "limits": {"memory": "9Mi"}},
    "securityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    },
}
CONFIG_MAP = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"for": "{{ .Release.Name }}"}}

EVERYTHING: dict[str, Any] = {
    "nameOverride": "watcher",
    "commonLabels": {"team": "ml"},
    "image": {
        "repository": "registry/watchdog",
        "tag": "1",
        "digest": f"sha256:{'0a' * 32}",
        "pullPolicy": "Always",
    },
    "imagePullSecrets": [{"name": "registry"}],
    "config": {"server": {"port": 9000, "allowed_hosts": ["watch.example.com"]}},
    "apiKey": {"secretName": "other", "secretKey": "key"},
    "persistence": {"size": "5Gi", "storageClassName": "fast", "annotations": {"backup": "yes"}},
    "service": {
        "enabled": True,
        "type": "LoadBalancer",
        "port": 80,
        "annotations": {"a": "b"},
        "labels": {"c": "d"},
    },
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "annotations": {"log-in": "yes"},
        "hosts": ["watch.example.com"],
        "tls": [{"hosts": ["watch.example.com"], "secretName": "tls"}],
    },
    "httpRoute": {
        "enabled": True,
        "parentRefs": [{"name": "gateway"}],
        "hostnames": ["watch.example.com"],
        "annotations": {"a": "b"},
    },
    "serviceAccount": {"create": True, "name": "watchdog", "annotations": {"role": "reader"}},
    "podMonitor": MONITOR,
    "prometheusRule": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "alertLabels": {"team": "ml"},
        "disabled": ["BasetenWatchdogNothingWatched"],
        "overrides": {"BasetenWatchdogDown": {"for": "15m", "labels": {"severity": "warning"}}},
        "runbookBaseUrl": "https://wiki/runbooks",
    },
    "dashboards": {"enabled": True, "labels": {"show": "1"}, "annotations": {"folder": "ML"}},
    "networkPolicy": {
        "enabled": True,
        "extraEgress": [{"ports": [{"port": 8443, "protocol": "TCP"}]}],
    },
    "proxy": {"httpsProxy": "http://proxy:3128", "noProxy": "localhost"},
    "caBundle": {"configMapName": "company-ca", "key": "bundle.pem"},
    "resources": {"limits": {"memory": "512Mi"}},
    "extraArgs": ["--dry-run"],
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [CERTIFICATE],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more", "readOnly": True}],
    "initContainers": [HELPER],
    "extraContainers": [{**HELPER, "name": "beside"}],
    "extraObjects": [
        {**CONFIG_MAP, "metadata": {"name": "more"}},
        "{apiVersion: v1, kind: ConfigMap, metadata: {name: text}, data: {a: b}}",
    ],
    "deploymentAnnotations": {"a": "b"},
    "deploymentLabels": {"c": "d"},
    "podAnnotations": {"a": "b"},
    "podLabels": {"sidecar": "no"},
    "podSecurityContext": {"fsGroup": 1000},
    "containerSecurityContext": {"runAsUser": 1000},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "spot", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "DoNotSchedule"}
    ],
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["192.0.2.1"]},
    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["api.example.com"]}],
    "terminationGracePeriodSeconds": 60,
    "revisionHistoryLimit": 3,
    "startupProbe": {"failureThreshold": 90},
    "livenessProbe": {"failureThreshold": 9},
    "readinessProbe": {"failureThreshold": 9},
}
ON_POSTGRES: dict[str, Any] = {
    **EVERYTHING,
    "fullnameOverride": "watch-all",
    "existingConfigMap": "mine",
    "postgres": {"enabled": True, "secretName": "pg", "secretKey": "dsn"},
    "replicas": 3,
    "podDisruptionBudget": {"maxUnavailable": 2},
    "networkPolicy": {"enabled": True, "postgresPort": 6432},
    "podMonitor": {"enabled": False},
    "serviceMonitor": MONITOR,
}
VARIANTS: dict[str, dict[str, Any]] = {
    "default": {},
    "postgres": {"postgres": {"enabled": True}},
    "everything": EVERYTHING,
    "everything-on-postgres": ON_POSTGRES,
    "own-claim": {"persistence": {"existingClaim": "mine"}},
}

OPERATOR = ("PodMonitor", "PrometheusRule", "ServiceMonitor")
NOT_OURS = ("initContainers", "extraContainers", "extraObjects", "containerSecurityContext")
"""The values that bring what only the cluster's owner answers for."""
NOT_KUBERNETES = (*OPERATOR, "HTTPRoute")

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
        ({"podMonitor": None}, "podMonitor"),
        ({"postgres": {"secretName": None}}, "secretName"),
        ({"image": {"pullPolicy": None}}, "pullPolicy"),
        ({"config": {"mode": "obsreve"}}, "mode"),
        ({"config": {"polcy": {}}}, "polcy"),
        ({"config": {"models": [{"id": 12345678}]}}, "id"),
        ({"config": {"policy": {"standing": "ingore"}}}, "standing"),
        ({"config": {"server": {"host": "127.0.0.1"}}}, "cannot reach 127.0.0.1"),
        ({"config": {"store": {"url": "postgresql+psycopg://h/d"}}}, "postgres.enabled"),
    ],
)
def test_values_that_mean_nothing_are_refused(values: dict[str, Any], says: str) -> None:
    assert says in helm("render", CHART, values)["refused"]


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_each_rendering_fits_the_schemas(values: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "manifests.yaml"
    parts = rendered(values)
    path.write_text(
        yaml.safe_dump_all(part for part in parts if part["kind"] not in NOT_KUBERNETES)
    )
    checked = run("kubernetes-validate", "--strict", "-k", KUBERNETES, path)
    said = checked.stdout + checked.stderr
    assert checked.returncode == 0, said
    assert "couldn't find schema" not in said


def test_the_prometheus_operators_kinds_fit_its_own_schema(tmp_path: Path) -> None:
    """All at once: to read the schemas takes far longer than to compare one manifest."""
    manifests = [
        of_kind(kind, ON_POSTGRES if kind == "ServiceMonitor" else EVERYTHING) for kind in OPERATOR
    ]
    good, bad = tmp_path / "good", tmp_path / "bad"
    good.mkdir()
    assert complaints(manifests, good) == []
    bad.mkdir()
    wrong = [{**each, "spec": {**each["spec"], "selektor": {}}} for each in manifests]
    found = complaints(wrong, bad)
    assert [kind for kind in OPERATOR if not any(line.startswith(kind) for line in found)] == []


def test_checkov_finds_nothing_without_a_reason(tmp_path: Path) -> None:
    """At once, because it takes seconds to start."""
    paths = [tmp_path / f"{name}.yaml" for name in ("default", "everything-on-postgres")]
    for path in paths:
        values = {key: value for key, value in VARIANTS[path.stem].items() if key not in NOT_OURS}
        path.write_text(yaml.safe_dump_all(rendered(values)))
    assert checkov("kubernetes", REASONS, *paths) == []


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS.keys())
def test_it_keeps_the_restricted_pod_security_standard(values: dict[str, Any]) -> None:
    spec = pod(values)
    context = spec["securityContext"]
    assert context["runAsNonRoot"] is True
    assert context["runAsUser"] > 0
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not set(spec) & {"hostNetwork", "hostPID", "hostIPC"}
    volumes = {kind for volume in spec["volumes"] for kind in volume if kind != "name"}
    assert volumes <= {"configMap", "secret", "persistentVolumeClaim"}
    for container in spec["containers"]:
        own = container["securityContext"]
        assert own["allowPrivilegeEscalation"] is False
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own["readOnlyRootFilesystem"] is True
        assert all("hostPort" not in port for port in container.get("ports", []))
    assert spec["automountServiceAccountToken"] is False


def test_a_value_that_is_set_to_null_is_refused_by_its_name() -> None:
    names = {path.partition(".")[0] for path in PATHS}
    answers = renderings(CHART, [{name: None} for name in names])
    missed = [n for n, a in zip(names, answers, strict=True) if n not in a.get("refused", "")]
    assert missed == []


def test_each_kind_of_ledger_has_a_deployment_of_its_own() -> None:
    """Neither becomes the other: their Pods would run side by side with two ledgers."""
    alone, several = of_kind("Deployment", {}), of_kind("Deployment", VARIANTS["postgres"])
    names = {each["metadata"]["name"] for each in (alone, several)}
    assert len(names) == 2
    for one, other in ((alone, several), (several, alone)):
        selector = one["spec"]["selector"]["matchLabels"]
        assert selector.items() <= one["spec"]["template"]["metadata"]["labels"].items()
        assert not selector.items() <= other["spec"]["template"]["metadata"]["labels"].items()


def test_the_commands_of_the_documents_name_what_is_rendered() -> None:
    kinds = {}
    for values in ({}, VARIANTS["postgres"]):
        answer = helm("render", CHART, values, name="baseten-watchdog")
        (text,) = (each for path, each in answer.items() if path.endswith("deployment.yaml"))
        deployment = yaml.safe_load(text)
        kinds[deployment["metadata"]["name"]] = deployment["spec"]["selector"]["matchLabels"]
    for document in ("docs/upgrading.md", "deploy/helm/baseten-watchdog/README.md", "README.md"):
        text = (ROOT / document).read_text()
        named = set(re.findall(r"\bdeploy/(baseten-watchdog[\w-]*)", text))
        assert named <= set(kinds), document
    selectors = re.findall(r"--selector (\S+)", (ROOT / "docs/upgrading.md").read_text())
    assert len(selectors) == 2
    for selector in selectors:
        asked = dict(each.split("=") for each in selector.split(","))
        assert sum(asked.items() <= labels.items() for labels in kinds.values()) == 1


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
    rules = of_kind("PrometheusRule", {"prometheusRule": {"enabled": True}})["spec"]
    assert rules == yaml.safe_load((ROOT / "deploy/prometheus/rules.yaml").read_text())


def test_what_is_generated_is_current(tmp_path: Path) -> None:
    made = run("python", ROOT / "deploy/helm/generate.py", tmp_path)
    assert made.returncode == 0, made.stderr
    files = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 8
    for name in files:
        assert (ROOT / "deploy" / name).read_text() == (tmp_path / name).read_text(), name


def test_kubectl_builds_the_kustomization() -> None:
    built = run("kubectl", "kustomize", ROOT / "deploy/kubernetes")
    assert built.returncode == 0, built.stderr
    kinds = [part["kind"] for part in yaml.safe_load_all(built.stdout)]
    assert sorted(kinds) == ["ConfigMap", "Deployment", "PersistentVolumeClaim"]


def test_the_example_overlay_is_complete() -> None:
    """It replaces the whole configuration, so what it lacks would be the daemon's default."""
    base, overlay = (
        {
            part["kind"]: part
            for part in yaml.safe_load_all(run("kubectl", "kustomize", ROOT / folder).stdout)
        }
        for folder in ("deploy/kubernetes", "deploy/kubernetes-example")
    )
    assert overlay.keys() == base.keys()
    before, after = (
        yaml.safe_load(parts["ConfigMap"]["data"]["config.yaml"]) for parts in (base, overlay)
    )
    assert {**after, "models": []} == before
    assert after["models"]
    assert overlay["ConfigMap"]["metadata"]["name"] == base["ConfigMap"]["metadata"]["name"]


def _at(values: dict[str, Any], path: str) -> Any:
    *parents, name = path.split(".")
    for parent in parents:
        values = values.get(parent, {})
    return values.get(name)


def _without(values: dict[str, Any], path: str) -> dict[str, Any]:
    name, _, rest = path.partition(".")
    left = {key: value for key, value in values.items() if key != name}
    return {**left, name: _without(values[name], rest)} if rest else left


PATHS = {value.path: value.default for value in chart_values(CHART / "values.yaml")}


def test_each_value_is_tried_and_has_an_effect() -> None:
    """Each is set to something else in one of the variants, and taken back there alone."""
    tried: list[tuple[str, str]] = []
    for path, default in PATHS.items():
        name = next(
            (name for name, values in VARIANTS.items() if _at(values, path) not in (None, default)),
            None,
        )
        assert name is not None, f"no variant sets {path}"
        tried.append((path, name))
    whole = dict(zip(VARIANTS, renderings(CHART, list(VARIANTS.values())), strict=True))
    # Without the Service, what leads to it is refused.
    without = [(path, name) for path, name in tried if path != "service.enabled"]
    answers = renderings(CHART, [_without(VARIANTS[name], path) for path, name in without])
    assert [answer for answer in answers if "refused" in answer] == []
    same = [
        path for (path, name), answer in zip(without, answers, strict=True) if answer == whole[name]
    ]
    assert same == []


def test_a_value_without_a_comment_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "values.yaml"
    path.write_text("# What it is.\na:\n  b: 1\nc:\n  # That.\n  d: 1\n")
    assert [each.path for each in chart_values(path)] == ["a", "c.d"]
    path.write_text("c:\n  d: 1\n")
    with pytest.raises(ValueError, match=r"c\.d has no comment"):
        list(chart_values(path))


def test_alerts_can_be_changed_and_left_out_one_by_one() -> None:
    rules = of_kind("PrometheusRule", EVERYTHING)["spec"]["groups"][0]["rules"]
    alerts = {rule["alert"]: rule for rule in rules if "alert" in rule}
    assert "BasetenWatchdogNothingWatched" not in alerts
    down = alerts["BasetenWatchdogDown"]
    assert (down["for"], down["labels"]) == ("15m", {"severity": "warning", "team": "ml"})
    assert down["annotations"]["runbook_url"] == "https://wiki/runbooks#basetenwatchdogdown"


def test_a_platform_may_assign_the_user() -> None:
    none = {"runAsUser": None, "runAsGroup": None, "fsGroup": None}
    context = pod({"podSecurityContext": none})["securityContext"]
    assert not set(context) & set(none)
    assert context["runAsNonRoot"] is True


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"ingress": {"enabled": True, "hosts": ["h"]}}, "service.enabled"),
        ({"serviceMonitor": {"enabled": True}}, "service.enabled"),
        (
            {
                "service": {"enabled": True},
                "podMonitor": {"enabled": True},
                "serviceMonitor": {"enabled": True},
            },
            "scraped twice",
        ),
        ({"image": {"digest": "0a"}}, "digest"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(values: dict[str, Any], says: str) -> None:
    assert says in helm("render", CHART, values)["refused"]


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
