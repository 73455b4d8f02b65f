"""Each query of the rule packs, answered by a real Prometheus engine (promtool) on the series that client libraries,
proxies and cAdvisor export."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.components import require
from tests.waiting import within
from watchdog.model.rule import PrometheusMeasure
from watchdog.settings.rules import read_rule_file
from watchdog.template import render

ROOT = Path(__file__).parents[1]
JOB = {"job": "shop-api"}


@dataclass(frozen=True)
class Query:
    """What a rule's query must answer at 5 m, given these series at one sample each 15 s."""

    name: str
    rule: str
    series: dict[str, str]
    answers: dict[str, float]
    """Labels of the answer to its value."""
    vars: dict[str, str] | None = None


def api(metric: str, values: str, labels: str = "") -> dict[str, str]:
    return {f'{metric}{{job="shop-api",instance="api:8080"{"," if labels else ""}{labels}}}': values}


def histogram(name: str, fast: int, slow: int, labels: str = "") -> dict[str, str]:
    """Per 15 s so many requests of at most 0.1 s, and so many between 1 s and 2.5 s."""
    comma = "," if labels else ""
    return {
        **api(f"{name}_bucket", f"0+{fast}x20", f'{labels}{comma}le="0.1"'),
        **api(f"{name}_bucket", f"0+{fast}x20", f'{labels}{comma}le="1"'),
        **api(f"{name}_bucket", f"0+{fast + slow}x20", f'{labels}{comma}le="2.5"'),
        **api(f"{name}_bucket", f"0+{fast + slow}x20", f'{labels}{comma}le="+Inf"'),
        **api(f"{name}_count", f"0+{fast + slow}x20", labels),
        **api(f"{name}_sum", f"0+{fast * 0.05 + slow * 2}x20", labels),
    }


def container(metric: str, ident: str, values: str, name: str = "shop-api-1", labels: str = "") -> dict[str, str]:
    return {f'{metric}{{id="/docker/{ident}",name="{name}",image="shop-api:2"{"," if labels else ""}{labels}}}': values}


def started(**when: int) -> dict[str, str]:
    return {
        k: v
        for ident, at in when.items()
        for k, v in container("container_start_time_seconds", ident, f"{at}x20").items()
    }


def pod(metric: str, values: str, name: str = "shop-api-1", container: str = "api", labels: str = "") -> dict[str, str]:
    own = f'namespace="shop",pod="{name}",container="{container}"'
    return {f"{metric}{{{own}{',' if labels else ''}{labels}}}": values}


API = '{name="shop-api-1"}'
POD = '{pod="shop-api-1", container="api"}'
HTTP = "http_request_duration_seconds"

QUERIES = [
    Query("scraped and not", "health-up", api("up", "1x20"), {'{job="shop-api", instance="api:8080"}': 1}),
    # latency
    Query("fast", "latency-p99", histogram(HTTP, 100, 0), {"{}": 0.099}),
    Query("slow", "latency-p99", histogram(HTTP, 50, 50), {"{}": 2.47}),
    Query("one request in 1,000 is slow", "latency-p99", histogram(HTTP, 999, 1), {"{}": 0.0991}),
    Query("four requests a second are too few", "latency-p99", histogram(HTTP, 30, 30), {}),
    Query("no such metric", "latency-p99", histogram("other", 50, 50), {}),
    Query("half are slow, with little traffic", "latency-p50", histogram(HTTP, 4, 12), {"{}": 1.5}),
    Query("nearly no traffic", "latency-p50", histogram(HTTP, 1, 1), {}),
    Query("the mean", "latency-mean", histogram(HTTP, 10, 10), {"{}": 1.025}),
    Query("no traffic, no mean", "latency-mean", histogram(HTTP, 0, 0), {}),
    Query(
        "Traefik, one service of it",
        "latency-p99",
        histogram("traefik_service_request_duration_seconds", 100, 0, 'service="api@docker"')
        | histogram("traefik_service_request_duration_seconds", 0, 100, 'service="web@docker"'),
        {"{}": 0.099},
        {"latency_metric": "traefik_service_request_duration_seconds", "latency_match": 'service="api@docker"'},
    ),
    Query(
        "only the new version's pods",
        "latency-p99",
        histogram(HTTP, 100, 0, 'pod="shop-api-1"') | histogram(HTTP, 0, 100, 'pod="shop-api-old"'),
        {"{}": 0.099},
        {"latency_pods": "pod"},
    ),
    # errors
    Query(
        "errors of the new version's pods",
        "errors-share",
        api("http_requests_total", "0+60x20", 'code="200",pod="shop-api-1"')
        | api("http_requests_total", "0+60x20", 'code="500",pod="shop-api-old"'),
        {"{}": 0},
        {"errors_pods": "pod"},
    ),
    Query(
        "no errors yet, so no such series",
        "errors-share",
        api("http_requests_total", "0+60x20", 'code="200"'),
        {"{}": 0},
    ),
    Query(
        "one in ten",
        "errors-share",
        api("http_requests_total", "0+54x20", 'code="200"') | api("http_requests_total", "0+6x20", 'code="503"'),
        {"{}": 0.1},
    ),
    Query(
        "not found is not an error of the service",
        "errors-share",
        api("http_requests_total", "0+54x20", 'code="200"') | api("http_requests_total", "0+6x20", 'code="404"'),
        {"{}": 0},
    ),
    Query(
        "too few requests",
        "errors-share",
        api("http_requests_total", "0+1x20", 'code="200"') | api("http_requests_total", "0+1x20", 'code="500"'),
        {},
    ),
    Query(
        "the label has another name: no data, not no errors",
        "errors-share",
        api("http_requests_total", "0+60x20", 'status="500"'),
        {},
    ),
    Query(
        "grouped status codes",
        "errors-share",
        api("http_requests_total", "0+45x20", 'status="2xx"') | api("http_requests_total", "0+15x20", 'status="5xx"'),
        {"{}": 0.25},
        {"errors_label": "status"},
    ),
    Query(
        "Envoy's classes",
        "errors-share",
        api("envoy_cluster_upstream_rq_xx", "0+45x20", 'envoy_response_code_class="2"')
        | api("envoy_cluster_upstream_rq_xx", "0+15x20", 'envoy_response_code_class="5"'),
        {"{}": 0.25},
        {
            "errors_metric": "envoy_cluster_upstream_rq_xx",
            "errors_label": "envoy_response_code_class",
            "errors_codes": "5",
        },
    ),
    # memory
    Query(
        "a process",
        "memory-process",
        api("process_resident_memory_bytes", "100e6x20"),
        {'{job="shop-api", instance="api:8080"}': 100e6},
    ),
    Query(
        "of a removed container and the new one of the same name, the new one counts",
        "memory-container",
        container("container_memory_working_set_bytes", "old", "97x20")
        | container("container_spec_memory_limit_bytes", "old", "100x20")
        | container("container_memory_working_set_bytes", "new", "80x20")
        | container("container_spec_memory_limit_bytes", "new", "200x20")
        | container("container_memory_working_set_bytes", "other", "99x20", name="other-1")
        | container("container_spec_memory_limit_bytes", "other", "99x20", name="other-1")
        | started(old=1000, new=2000),
        {API: 0.4},
    ),
    Query(
        "a container without a limit",
        "memory-container",
        container("container_memory_working_set_bytes", "new", "80x20")
        | container("container_spec_memory_limit_bytes", "new", "0x20")
        | started(new=2000),
        {},
    ),
    # cpu
    Query(
        "a process's cores",
        "cpu-process",
        api("process_cpu_seconds_total", "0+30x20"),
        {'{job="shop-api", instance="api:8080"}': 2},
    ),
    Query(
        "half a core's worth of a one-core limit, on two processors, and the removed container does not count",
        "cpu-container",
        container("container_cpu_usage_seconds_total", "new", "0+3x20", labels='cpu="cpu00"')
        | container("container_cpu_usage_seconds_total", "new", "0+4.5x20", labels='cpu="cpu01"')
        | container("container_cpu_usage_seconds_total", "old", "0+15x20", labels='cpu="cpu00"')
        | container("container_spec_cpu_quota", "new", "100000x20")
        | container("container_spec_cpu_period", "new", "100000x20")
        | container("container_spec_cpu_quota", "old", "100000x20")
        | container("container_spec_cpu_period", "old", "100000x20")
        | started(old=1000, new=2000),
        {API: 0.5},
    ),
    Query(
        "a container without a quota",
        "cpu-container",
        container("container_cpu_usage_seconds_total", "new", "0+3x20") | started(new=2000),
        {},
    ),
    # kubernetes
    Query(
        "the pod as a whole, its pause container, the old version's and another namespace's do not count",
        "kubernetes-memory",
        pod("container_memory_working_set_bytes", "80x20")
        | pod("container_spec_memory_limit_bytes", "200x20")
        | pod("container_memory_working_set_bytes", "190x20", container="")
        | pod("container_memory_working_set_bytes", "190x20", container="POD")
        | pod("container_memory_working_set_bytes", "190x20", name="shop-api-old")
        | pod("container_spec_memory_limit_bytes", "200x20", name="shop-api-old")
        | {'container_memory_working_set_bytes{namespace="x",pod="shop-api-1",container="api"}': "199x20"},
        {POD: 0.4},
    ),
    Query(
        "a pod without a limit",
        "kubernetes-memory",
        pod("container_memory_working_set_bytes", "80x20") | pod("container_spec_memory_limit_bytes", "0x20"),
        {},
    ),
    Query(
        "a pod at half of its processor limit",
        "kubernetes-cpu",
        pod("container_cpu_usage_seconds_total", "0+7.5x20")
        | pod("container_spec_cpu_quota", "100000x20")
        | pod("container_spec_cpu_period", "100000x20"),
        {POD: 0.5},
    ),
    Query("a pod without a quota", "kubernetes-cpu", pod("container_cpu_usage_seconds_total", "0+3x20"), {}),
    Query(
        "a pod throttled in 60 of 100 periods",
        "kubernetes-throttled",
        pod("container_cpu_cfs_periods_total", "0+100x20")
        | pod("container_cpu_cfs_throttled_periods_total", "0+60x20"),
        {POD: 0.6},
    ),
    Query(
        "throttled in 60 of 100 periods",
        "cpu-throttled",
        container("container_cpu_cfs_periods_total", "new", "0+100x20")
        | container("container_cpu_cfs_throttled_periods_total", "new", "0+60x20")
        | started(new=2000),
        {API: 0.6},
    ),
]


def question(query: Query) -> str:
    pack = query.rule.split("-")[0]
    file = read_rule_file(ROOT / "rules" / f"{pack}.yaml", JOB | (query.vars or {}))
    (rule,) = (rule for rule in file.rules if rule.name == query.rule)
    assert isinstance(rule.measure, PrometheusMeasure)
    return render(rule.measure.query, {**file.vars, "pods": "shop-api-1|shop-web-1", "namespace": "shop"})


@pytest.mark.prometheus
def test_every_query_asks_prometheus_what_is_meant(tmp_path: Path):
    require("promtool", shutil.which("promtool") is not None)
    tests = [
        {
            "name": query.name,
            "interval": "15s",
            "input_series": [{"series": series, "values": values} for series, values in query.series.items()],
            "promql_expr_test": [
                {
                    "expr": f"round({question(query)}, 0.0001)",  # promtool compares floats exactly
                    "eval_time": "5m",
                    "exp_samples": [{"labels": labels, "value": value} for labels, value in query.answers.items()],
                }
            ],
        }
        for query in QUERIES
    ]
    file = tmp_path / "queries.json"
    file.write_text(json.dumps({"rule_files": [], "evaluation_interval": "15s", "tests": tests}))
    run = subprocess.run(
        ["promtool", "test", "rules", str(file)], capture_output=True, text=True, timeout=within(60), check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_query_of_the_packs_is_asked():
    every = (rule for path in (ROOT / "rules").glob("*.yaml") for rule in read_rule_file(path, JOB).rules)
    assert {query.rule for query in QUERIES} == {r.name for r in every if isinstance(r.measure, PrometheusMeasure)}
