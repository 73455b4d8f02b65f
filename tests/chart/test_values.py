"""What the chart takes as values, what it refuses, and what it makes of them."""

from __future__ import annotations

import json
import re

import pytest
from ruamel.yaml import YAML

from scripts.chart_schema import FILE, updated
from tests.chart.conftest import CHART, ROOT, SIDECAR, one, template_words
from watchdog.settings import load

APP = {"name": "app", "helm": {"release": "app"}, "rules": ["crash"]}
SECRETS = {"WATCHDOG_STORE": "postgresql://u:p@db/watchdog", "WATCHDOG_TOKEN": "t" * 32, "HOOK_SECRET": "A" * 44}


def settings(things, tmp_path):
    """The config that the pod would read, read by the program."""
    data = one(things, "ConfigMap")["data"]
    for name, text in data.items():
        (tmp_path / name).write_text(text)
    return load(tmp_path / "watchdog.yaml", SECRETS)


@pytest.mark.parametrize("chart", [CHART, SIDECAR], ids=lambda chart: chart.name)
def test_lint_finds_nothing(helm, chart):
    done = helm("lint", "--strict", str(chart))
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_schema_is_the_programs():
    written = json.loads(FILE.read_text())
    assert updated(written) == written, "run: python -m scripts.chart_schema"


def test_by_default_it_guards_every_release_but_itself(rendered, tmp_path):
    (target,) = settings(rendered(), tmp_path).targets
    assert (target.spec.release, target.spec.namespace, target.spec.exclude) == ("*", "staging", ("staging/watchdog",))
    assert target.environment == "staging"


def test_targets_are_in_its_own_namespace_by_default(rendered, tmp_path):
    (target,) = settings(rendered({"config": {"targets": [APP]}}), tmp_path).targets
    assert (target.spec.release, target.spec.namespace) == ("app", "staging")


def test_the_config_is_the_programs(rendered, tmp_path):
    hook = {"url": "https://alerts.example/hook", "secret": {"env": "HOOK_SECRET"}}
    values = {
        "existingSecrets": ["receivers"],
        "http": {"token": {"existingSecret": "api"}},
        "ruleFiles": {"ours.yaml": (CHART.parents[1] / "rules" / "crash.yaml").read_text()},
        "config": {
            "sources": {"prometheus": {"url": "http://prometheus.monitoring:9090"}},
            "receivers": [{"name": "oncall", "webhook": hook}],
            "targets": [{**APP, "rules": ["latency", "./ours.yaml"], "vars": {"job": "app"}}],
        },
    }
    things = rendered(values)
    read = settings(things, tmp_path)
    assert read.sources.prometheus.url == "http://prometheus.monitoring:9090"
    assert read.receivers[0].webhook.secret.get_secret_value() == SECRETS["HOOK_SECRET"]
    assert (read.http.host, read.http.port) == ("0.0.0.0", 9099)
    assert {"crash-loop", "latency-p99"} <= {rule.name for rule in read.targets[0].rules}
    container = one(things, "Deployment")["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "receivers"}}]
    assert container["env"][0]["valueFrom"] == {"secretKeyRef": {"name": "api", "key": "token"}}


def test_state_on_a_volume_is_one_pods(rendered):
    things = rendered()
    assert one(things, "Deployment")["spec"]["strategy"] == {"type": "Recreate"}
    assert one(things, "PersistentVolumeClaim")["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_state_in_postgresql_is_shared(rendered, tmp_path):
    things = rendered({"replicas": 2, "state": {"postgresql": {"existingSecret": "db"}}})
    assert settings(things, tmp_path).store.startswith("postgresql://")
    assert one(things, "Deployment")["spec"]["strategy"] == {"type": "RollingUpdate"}
    assert not [t for t in things if t["kind"] == "PersistentVolumeClaim"]


def test_the_pod_has_no_privileges(rendered):
    pod = one(rendered(), "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["containers"][0]["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["containers"][0]["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": "http"}
    assert pod["containers"][0]["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "http"}


def test_a_changed_config_restarts_it(rendered):
    def checksum(values):
        return one(rendered(values), "Deployment")["spec"]["template"]["metadata"]["annotations"]["checksum/config"]

    assert checksum({}) == checksum({"podLabels": {"a": "b"}})
    assert checksum({}) != checksum({"everyRelease": {"mode": "dry_run"}})


def test_a_service_monitor_only_when_asked(rendered):
    assert not [t for t in rendered() if t["kind"] == "ServiceMonitor"]
    made = one(rendered({"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}), "ServiceMonitor")
    assert made["metadata"]["labels"]["release"] == "prometheus"


def test_egress_is_limited_when_asked(rendered):
    assert one(rendered(), "NetworkPolicy")["spec"]["policyTypes"] == ["Ingress"]
    rule = {"ports": [{"port": 9090}]}
    policy = one(rendered({"networkPolicy": {"egress": {"enabled": True, "rules": [rule]}}}), "NetworkPolicy")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert rule in policy["egress"]


BAD = {
    "an unknown value": ({"replica": 2}, "replica"),
    "an unknown key of a target": ({"config": {"targets": [{**APP, "rule": ["crash"]}]}}, "'rule' not allowed"),
    "an unknown key of the config": ({"config": {"receiver": []}}, "'receiver' not allowed"),
    "what the chart writes itself": ({"config": {"store": "sqlite:///x.db"}}, "'store' not allowed"),
    "a duration without a unit": ({"config": {"targets": [{**APP, "watch": {"bake_time": "10"}}]}}, "bake_time"),
    "a secret in plain text": ({"http": {"token": "s3cret"}}, "http/token"),
    "a wrong mode": ({"everyRelease": {"mode": "dry-run"}}, "mode"),
    "a storage that is none": (
        {"config": {"targets": [{**APP, "helm": {"release": "app", "storage": "sql"}}]}},
        "storage",
    ),
    "replicas that share no state": ({"replicas": 2}, "state.postgresql.existingSecret"),
    "every namespace without the rights": (
        {"config": {"targets": [{**APP, "helm": {"release": "*", "namespace": "*"}}]}},
        "clusterWide=true",
    ),
}


@pytest.mark.parametrize(("values", "named"), BAD.values(), ids=BAD)
def test_bad_values_are_refused_by_name(helm, values, named, tmp_path):
    done = helm(*template_words(values, tmp_path))
    assert done.returncode != 0
    assert named in done.stderr.replace('"', "'")


def test_the_sidecar_runs_in_the_applications_pod(rendered, tmp_path):
    things = rendered(chart=SIDECAR)
    containers = one(things, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert [c["name"] for c in containers] == ["app", "watchdog"]
    assert "readinessProbe" not in containers[1], "the watchdog must never take the application out of service"
    (target,) = settings(things, tmp_path).targets
    assert (target.spec.release, target.spec.namespace) == ("watchdog", "staging")


def test_every_value_has_its_line_in_values_yaml():
    values = YAML(typ="safe", pure=True).load(CHART / "values.yaml")
    known = json.loads(FILE.read_text())["properties"]
    assert set(known) - {"global"} == set(values)


def test_the_image_installs_what_the_program_is_tested_with():
    runtime, image = (set(pins(ROOT / f"requirements/{name}.txt")) for name in ("runtime", "image"))
    assert runtime - image == set(), "run: make lock"
    assert {pin.partition("==")[0] for pin in image - runtime} == {"psycopg", "psycopg-binary"}


def pins(lock):
    return re.findall(r"^[A-Za-z0-9_.-]+==[^ ;]+", lock.read_text(), re.MULTILINE)
