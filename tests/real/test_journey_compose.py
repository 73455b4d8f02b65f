"""From `docker compose up -d` of a bad version to a recovery that is proved, with everything real."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.components import require
from tests.real.daemon import PASSES, Daemon, environment_of, guarding
from tests.real.docker_engine import Project
from tests.real.prometheus_server import PROGRAM as PROMETHEUS
from tests.real.prometheus_server import PrometheusServer
from tests.waiting import wait_until
from watchdog.model.measurement import Verdict
from watchdog.model.watch import WatchState

pytestmark = pytest.mark.docker

JOB = '{job="{{ job }}"}'
METRICS: list[Any] = [
    {
        "name": "latency-p99",
        "trigger": "performance",
        "summary": "99 % of the answers take over a second",
        "prometheus": "histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket"
        + JOB
        + "[12s])))",
        "fail_when": "value > 1.0",
        "for": "2s",
    },
    {
        "name": "errors-share",
        "trigger": "errors",
        "summary": "over one in twenty requests fails",
        "prometheus": 'sum(rate(http_requests_total{job="{{ job }}",code=~"5.."}[12s]))'
        " / sum(rate(http_requests_total" + JOB + "[12s]))",
        "fail_when": "value > 0.05",
        "for": "2s",
    },
    {
        "name": "memory-high",
        "trigger": "performance",
        "summary": "over 100 MB",
        "prometheus": "process_resident_memory_bytes" + JOB,
        "fail_when": "value > 1e8",
        "for": "2s",
    },
    {
        "name": "cpu-high",
        "trigger": "performance",
        "summary": "over 0.8 cores",
        "prometheus": "rate(process_cpu_seconds_total" + JOB + "[12s])",
        "fail_when": "value > 0.8",
        "for": "2s",
    },
]
HEALTHCHECK = """\
    healthcheck:
      test: ["CMD", "/bin/wget", "-q", "-O", "/dev/null", "http://127.0.0.1:API_PORT/cgi-bin/healthz"]
      interval: 1s
      timeout: 20s
      retries: 2
"""


def without_healthcheck(project: Project) -> None:
    project.edit(HEALTHCHECK.replace("API_PORT", str(project.api_port)), "")


Guard = Callable[..., Daemon]


@pytest.fixture
def guard(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guard]:
    """Starts version 1 of the project and a daemon that guards it."""
    daemons: list[Daemon] = []

    def start(config: dict[str, Any] | None = None, **target: Any) -> Daemon:
        project.up()
        project.wait_for("1")
        daemon = guarding(project, tmp_path_factory.mktemp("watchdog"), config or {}, **target)
        daemons.append(daemon)
        daemon.start()
        daemon.recorded()
        return daemon

    yield start
    for daemon in daemons:
        daemon.close()


@pytest.fixture
def prometheus(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """The real Prometheus, scraping the project's API every three seconds."""
    require("prometheus", PROMETHEUS is not None)
    folder = tmp_path_factory.mktemp("prometheus")
    server = PrometheusServer(folder)
    (folder / "prometheus.yml").write_text(
        "global: {scrape_interval: 3s}\n"  # as long as a scrape may take
        "scrape_configs:\n"
        "  - job_name: api\n"
        "    metrics_path: /cgi-bin/metrics\n"
        f"    static_configs: [{{targets: ['127.0.0.1:{project.api_port}']}}]\n"
    )
    server.start()
    yield server
    server.close()


def deploy(project: Project, version: str, fault: str = "") -> None:
    project.image("api", version, fault)
    project.up(API_IMAGE=f"{project.name}-api:{version}", check=fault == "")


@pytest.mark.parametrize(
    ("fault", "rule"),
    [("latency", "latency-p99"), ("errors", "errors-share"), ("memory", "memory-high"), ("cpu", "cpu-high")],
)
def test_a_fault_that_only_prometheus_shows(project: Project, guard: Guard, prometheus, fault: str, rule: str):
    without_healthcheck(project)
    daemon = guard({"sources": {"prometheus": {"url": prometheus.url}}}, vars={"job": "api"}, rules=METRICS)
    deploy(project, "2", fault)
    watch = daemon.until_state(WatchState.recovered, "r2")
    assert rule in watch.decision.rules
    assert project.get("/cgi-bin/healthz")[1].startswith("1")
    assert project.running()["api"] == project.images["api:1"]
    assert daemon.kinds()[:2] == ["deploy.seen", "rule.tripped"]
    assert daemon.kinds()[-3:] == ["rollback.started", "rollback.finished", "incident.recovered"]


def test_a_crash_loop_is_undone_and_explained(project: Project, guard: Guard):
    daemon = guard(rules=["crash"])
    web_before = project.container("web")["Id"]
    migration_before = project.container("migrate")["Id"]
    deploy(project, "2", "crash")
    watch = daemon.until_state(WatchState.recovered, "r2")
    assert "crash-loop" in watch.decision.rules
    project.wait_for("1")
    assert project.container("web")["Id"] == web_before, "a service that did not change was touched"
    migration = project.container("migrate")
    assert migration["Id"] != migration_before, "the deploy itself ran its migration"
    (rollback,) = daemon.store.rollbacks("shop", since=watch.opened_at)
    assert _time(migration["State"]["StartedAt"]) < rollback.started_at, "the rollback ran a migration again"
    explained = daemon.run("explain", watch.incident).stdout
    assert "crash-loop" in explained
    assert "cannot reach database with password" in explained
    assert "hunter2-of-the-tests" not in explained
    assert "hunter2-of-the-tests" not in daemon.log()
    assert daemon.run("history", "shop").stdout.count("rolled back") == 1


def test_health_checks_and_probes(project: Project, guard: Guard):
    probe = {"name": "api", "http": f"http://127.0.0.1:{project.api_port}/cgi-bin/healthz", "timeout": "60s"}
    daemon = guard(rules=["crash", {"pack": "health", "except": ["health-up"]}], probes=[probe])
    deploy(project, "2", "health")
    watch = daemon.until_state(WatchState.recovered, "r2")
    assert any("health" in name or "probe" in name for name in watch.decision.rules)
    assert any(m.rule == "probe-api" and m.phase == "verification" for m in daemon.store.measurements(watch.id))
    project.wait_for("1")


def test_a_good_deploy_becomes_known_good_and_can_be_left_again(project: Project, guard: Guard):
    """Also: its predecessor's image survives a prune, and a person's rollback needs no daemon."""
    daemon = guard(rules=["crash"], watch=PASSES)
    deploy(project, "2")
    daemon.until_state(WatchState.passed, "r2")
    assert daemon.store.revision("shop", "r2").known_good
    daemon.until(lambda: "deploy-watchdog.keep" in _labels(project), "the images to be kept")
    project.engine.docker("image", "prune", "-af")
    daemon.stop()
    dry = daemon.run("rollback", "shop", "--dry-run").stdout
    assert "r2 to r1" in dry
    assert project.running()["api"] != project.images["api:1"]
    done = daemon.run("rollback", "--environment", "production")
    assert "recovered" in done.stdout
    assert project.running()["api"] == project.images["api:1"]
    project.wait_for("1")


def _time(docker_says: str) -> datetime:
    """Docker's times have nanoseconds, of which it leaves out zeros at the end."""
    seconds, _, fraction = docker_says.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{seconds}.{fraction[:6]:0<6}+00:00")


def _labels(project: Project) -> str:
    listed = project.engine.client.api.containers(all=True)
    return " ".join(label for c in listed for label in c["Labels"])


def test_a_tag_that_was_pointed_elsewhere(project: Project, guard: Guard):
    daemon = guard(rules=["crash"])
    good = project.images["api:1"]
    assert project.image("api", "1", "crash") != good
    project.up(check=False)
    daemon.until_state(WatchState.recovered, "r2")
    assert project.running()["api"] == good
    project.wait_for("1")


def test_a_change_of_the_environment_alone(project: Project, guard: Guard):
    project.edit("      FEATURE_X: ${FEATURE_X:-off}", "      FEATURE_X: ${FEATURE_X:-off}\n      FAULT: ${FAULT:-}")
    daemon = guard(rules=["crash"])
    project.up(FAULT="crash", FEATURE_X="on", check=False)
    daemon.until_state(WatchState.recovered, "r2")
    project.wait_for("1")
    environment = environment_of(project.container("api"))
    assert (environment["FAULT"], environment["FEATURE_X"]) == ("", "off")


def test_a_failed_migration_is_a_failed_deploy(project: Project, guard: Guard):
    daemon = guard(rules=["crash"])
    project.image("api", "2")
    project.up(API_IMAGE=f"{project.name}-api:2", MIGRATE_EXIT="3", check=False)
    watch = daemon.until_state(WatchState.recovered, "r2")
    assert "code 3" in watch.decision.reason
    project.wait_for("1")
    assert "migrate" not in project.compose("ps", "-a"), "the failed run is put away, and the old one not run again"


def test_restarts_scaling_and_stopping_are_not_deploys(project: Project, guard: Guard):
    daemon = guard(rules=["crash"])
    project.compose("restart", "api")
    project.wait_for("1")
    project.compose("stop", "web")
    project.compose("start", "web")
    project.wait_for("1", service="web")
    bookmark = daemon.store.bookmark("shop")
    daemon.run("status")
    assert daemon.store.watches("shop") == []
    assert daemon.store.bookmark("shop") == bookmark


def test_the_engine_restarts_in_the_middle_of_a_watch(project: Project, guard: Guard):
    daemon = guard(rules=["crash"], watch=PASSES)
    deploy(project, "2")
    daemon.until_state(WatchState.watching, "r2")
    project.engine.restart()
    watch = daemon.until_state(WatchState.passed, "r2", seconds=90)
    assert watch.decision.rules == ()
    project.wait_for("2")


def test_prometheus_dies_in_the_middle_of_a_watch(project: Project, guard: Guard, prometheus: PrometheusServer):
    without_healthcheck(project)
    sources = {"prometheus": {"url": prometheus.url, "timeout": "1s"}}
    daemon = guard({"sources": sources}, vars={"job": "api"}, rules=METRICS, watch={"bake_time": "20s"})
    deploy(project, "2")
    daemon.until_state(WatchState.watching, "r2")
    prometheus.kill()
    daemon.until(lambda: "watch.blind" in daemon.kinds(), "people to be told")
    prometheus.start()
    watch = daemon.until_state(WatchState.passed, "r2", seconds=90)
    assert watch.blind.total_seconds() > 3
    assert "watch.extended" in daemon.kinds()
    verdicts = {m.verdict for m in daemon.store.measurements(watch.id)}
    assert Verdict.error in verdicts
    project.wait_for("2")


def test_the_daemon_is_killed_in_the_middle_of_an_incident(project: Project, guard: Guard):
    daemon = guard(rules=["crash"])
    deploy(project, "2", "crash")
    daemon.until(lambda: bool(daemon.store.incidents()), "an incident", 30)
    daemon.stop(signal.SIGKILL)
    daemon.start()
    daemon.until_state(WatchState.recovered, "r2", seconds=90)
    assert daemon.kinds().count("rollback.started") == 1
    assert len(daemon.store.rollbacks("shop", since=daemon.watch().opened_at)) == 1
    project.wait_for("1")


def test_a_deploy_that_was_made_while_the_daemon_was_down(project: Project, guard: Guard):
    daemon = guard(rules=["crash"])
    daemon.stop()
    deploy(project, "2", "crash")
    wait_until(lambda: project.container("api")["RestartCount"] >= 2, "a crash loop")
    daemon.start()
    daemon.until_state(WatchState.recovered, "r2")
    project.wait_for("1")


def test_the_first_deploy_ever_has_nothing_to_go_back_to(project: Project, guard: Guard):
    rollback = {"verify_for": "3s", "first_known_good": "none", "cooldown": "0s"}
    daemon = guard(rules=["crash"], rollback=rollback)
    deploy(project, "2", "crash")
    watch = daemon.until_state(WatchState.held, "r2")
    assert watch.objection.name.value == "no_safe_revision"
    daemon.run("rollback", "shop", "--to", "r1")
    project.wait_for("1")


def test_check_says_what_is_missing(project: Project, guard: Guard, tmp_path: Path):
    daemon = guard({"sources": {"prometheus": {"url": "http://127.0.0.1:1"}}}, vars={"job": "api"}, rules=METRICS)
    answer = daemon.run("check", check=False)
    assert answer.returncode == 1
    assert "127.0.0.1:1" in answer.stdout
    project.file.rename(tmp_path / "gone.yml")
    assert project.file.name in daemon.run("check", check=False).stdout
