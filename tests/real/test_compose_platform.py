"""What the Compose platform sees of a real project on a real engine."""

import gc
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.real.docker_engine import Project
from tests.waiting import wait_until, within
from watchdog.errors import Unavailable
from watchdog.model.deploy import Phase, Revision, Snapshot
from watchdog.observe.compose.platform import ComposePlatform

pytestmark = pytest.mark.docker


class Watched:
    """A platform that listens to one project."""

    def __init__(self, project: Project) -> None:
        self.project, self.target = project, project.target()
        self.woken = threading.Event()
        self.platform = ComposePlatform()
        self.platform.start([self.target], lambda _: self.woken.set())
        assert self.woken.wait(within(10))

    def look(self) -> Snapshot:
        return self.platform.snapshot(self.target, datetime.now(UTC))

    def until(self, phase: Phase, seconds: float = 20) -> Snapshot:
        wait_until(lambda: self.look().rollout.phase is phase, f"the rollout to be {phase}", seconds)
        return self.look()

    def record(self, previous: Revision | None = None) -> Revision:
        found = self.look()
        recorded = self.platform.record(self.target, found, previous)
        return Revision(
            target="shop", id="r1", fingerprint=found.fingerprint, seen_at=found.at, **recorded.model_dump()
        )


@pytest.fixture
def watched(project: Project) -> Iterator[Watched]:
    watched = Watched(project)
    yield watched
    watched.platform.stop()


def test_a_project_that_is_up(project: Project, watched: Watched):
    project.up()
    found = watched.until(Phase.complete)
    assert found.images["api"] == project.images["api:1"]
    assert found.images["web"] == project.images["web:1"]
    assert found.pods == f"{project.name}-api-1|{project.name}-web-1"
    assert f"web: {project.name}-web:1 (" in found.summary
    assert {i.service: (i.state, i.one_shot) for i in found.instances} == {
        "api": ("running", False),
        "web": ("running", False),
        "migrate": ("exited", True),
    }
    assert found.exits == ()


def test_an_empty_place_has_no_fingerprint(watched: Watched):
    assert watched.look().fingerprint == ""


def test_a_deploy_wakes_and_changes_the_fingerprint(project: Project, watched: Watched):
    project.up()
    before = watched.until(Phase.complete)
    watched.woken.clear()
    project.image("api", "2")
    project.up(API_IMAGE=f"{project.name}-api:2")
    assert watched.woken.is_set()
    assert watched.until(Phase.complete).fingerprint != before.fingerprint
    project.up()
    assert watched.until(Phase.complete).fingerprint == before.fingerprint


def test_a_tag_that_points_elsewhere_is_a_deploy(project: Project, watched: Watched):
    project.up()
    before = watched.until(Phase.complete)
    revision = watched.record()
    second = project.image("web", "1")
    project.up()
    after = watched.until(Phase.complete)
    assert after.images["web"] == second
    assert after.fingerprint != before.fingerprint
    assert f"web: {project.name}-web:1 is another image" in watched.record(revision).summary


def test_a_changed_variable_is_a_deploy_and_its_value_is_not_told(project: Project, watched: Watched):
    project.up()
    before = watched.until(Phase.complete)
    revision = watched.record()
    project.up(COLOUR="magenta")
    assert watched.until(Phase.complete).fingerprint != before.fingerprint
    assert watched.record(revision).summary == "web env changed: COLOUR"


def test_restarts_scaling_stops_and_kills_are_no_deploys_and_no_crashes(project: Project, watched: Watched):
    project.up()
    before = watched.until(Phase.complete)
    project.compose("restart", "api")
    project.compose("up", "-d", "--no-recreate", "--scale", "web=3")
    project.compose("up", "-d", "--no-recreate", "--scale", "web=1")
    project.engine.docker("kill", f"{project.name}-web-1")
    project.compose("start", "web")
    project.compose("stop", "web")
    after = watched.look()
    assert after.fingerprint == before.fingerprint
    assert after.exits == ()
    assert [i.ended_abnormally for i in after.instances if i.service == "web"] == [False]


def test_a_crash_loop_is_seen_while_it_goes_round(project: Project, watched: Watched):
    project.up()
    watched.until(Phase.complete)
    project.image("api", "2", fault="crash")
    project.up(API_IMAGE=f"{project.name}-api:2")
    wait_until(lambda: len(watched.look().exits) >= 3, "three exits")
    found = watched.look()
    assert {(e.service, e.exit_code, e.reason) for e in found.exits} == {("api", 3, "exited with code 3")}
    assert found.rollout.phase is Phase.arriving
    assert "api" in found.rollout.reason


def test_a_crash_loop_is_counted_even_if_nobody_listened(project: Project):
    project.image("api", "2", fault="crash")
    project.up(API_IMAGE=f"{project.name}-api:2")
    wait_until(lambda: project.container("api")["RestartCount"] >= 3, "three restarts")
    platform = ComposePlatform()
    try:
        assert len(platform.snapshot(project.target(), datetime.now(UTC)).exits) >= 3
    finally:
        platform.stop()


def test_ending_well_again_and_again_is_a_crash_loop_too(project: Project, watched: Watched):
    project.image("web", "2", fault="exit")
    project.up(WEB_IMAGE=f"{project.name}-web:2")
    wait_until(lambda: len(watched.look().exits) >= 2, "two exits")
    assert watched.look().exits[0].reason == "exited with code 0 and was restarted again (restart: always)"


def test_a_migration_that_fails_fails_the_deploy(project: Project, watched: Watched):
    project.up()
    before = watched.until(Phase.complete)
    project.up(check=False, MIGRATE_EXIT="3")
    found = watched.until(Phase.failed)
    assert found.rollout.reason == "service migrate exited with code 3"
    assert found.fingerprint != before.fingerprint


def test_a_pruned_migration_is_no_deploy(project: Project, watched: Watched):
    project.up()
    before = watched.until(Phase.complete)
    project.engine.docker("container", "prune", "--force")
    assert "migrate" not in watched.look().images
    assert watched.look().fingerprint == before.fingerprint


def test_a_program_that_does_not_exist(project: Project, watched: Watched):
    project.edit("  web:\n", '  web:\n    entrypoint: ["/no/such/program"]\n')
    project.up(check=False)
    found = watched.until(Phase.failed)
    assert found.rollout.reason.startswith("service web could not be started: ")


def test_an_unhealthy_container(project: Project, watched: Watched):
    project.image("api", "2", fault="health")
    project.up(API_IMAGE=f"{project.name}-api:2")
    wait_until(lambda: "unhealthy" in {i.health for i in watched.look().instances}, "an unhealthy instance")
    assert watched.look().rollout.reason == "service api is unhealthy"


def test_a_kill_by_the_kernel(project: Project, watched: Watched):
    project.edit("  web:\n", "  web:\n    mem_limit: 24m\n    memswap_limit: 24m\n")
    project.image("web", "2", fault="memory")
    project.up(WEB_IMAGE=f"{project.name}-web:2")
    wait_until(lambda: any(e.oom_killed for e in watched.look().exits), "an out-of-memory kill", 40)


def test_the_variables_of_a_deploy_are_found_and_proved(project: Project, watched: Watched):
    project.image("api", "2")
    project.up(API_IMAGE=f"{project.name}-api:2", FEATURE_X="on")
    watched.until(Phase.complete)
    revision = watched.record()
    assert (revision.exact, revision.note) == (True, "")
    assert revision.recorded["variables"] == {"API_IMAGE": f"{project.name}-api:2", "FEATURE_X": "on"}
    assert revision.recorded["one_shots"] == ["migrate"]
    assert "hunter2" not in repr(revision)


def test_a_file_that_says_something_else_is_recorded_as_images_only(project: Project, watched: Watched):
    project.up()
    watched.until(Phase.complete)
    project.edit("COLOUR:", "COLOR:")
    revision = watched.record()
    assert not revision.exact
    assert revision.note == "images only: the files give another config than what runs for web"
    assert revision.recorded["exact_services"] == ["api", "migrate"]


def test_a_file_that_went_away_is_said(project: Project, watched: Watched):
    project.up()
    watched.until(Phase.complete)
    project.file.unlink()
    revision = watched.record()
    assert not revision.exact
    assert revision.note == f"images only: {project.file} does not exist or can't be read"
    assert "does not exist" in watched.platform.check(watched.target)[0]
    project.write("services: {}")


def test_evidence_has_the_logs_and_no_secrets(project: Project, watched: Watched):
    project.image("api", "2", fault="crash")
    project.up(API_IMAGE=f"{project.name}-api:2")
    wait_until(lambda: len(watched.look().exits) >= 2, "two exits")
    items = watched.platform.evidence(watched.target, watched.look())
    logs = next(i for i in items if i.kind == "logs" and i.name == f"{project.name}-api-1")
    assert logs.text.count("fatal: cannot reach database with password ***") >= 2
    assert "hunter2" not in "".join(i.text for i in items)
    assert any("exit code 3" in i.text for i in items if i.kind == "events")
    assert any('"RestartCount"' in i.text for i in items if i.kind == "state")


def test_check_finds_nothing_wrong_with_a_good_target(project: Project, watched: Watched):
    project.up()
    assert watched.platform.check(watched.target) == []


def test_its_own_service_is_not_part_of_what_it_guards(project: Project, monkeypatch: pytest.MonkeyPatch):
    project.up()
    monkeypatch.setenv("WATCHDOG_CONTAINER_ID", str(project.container("web")["Id"]))
    platform = ComposePlatform()
    try:
        before = platform.snapshot(project.target(), datetime.now(UTC))
        assert "web" not in before.images
        project.up(COLOUR="green")
    finally:
        platform.stop()
    monkeypatch.setenv("WATCHDOG_CONTAINER_ID", str(project.container("web")["Id"]))
    platform = ComposePlatform()
    try:
        assert platform.snapshot(project.target(), datetime.now(UTC)).fingerprint == before.fingerprint
    finally:
        platform.stop()


@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # the SDK's, when its connect fails
def test_an_engine_that_restarts(project: Project, watched: Watched):
    project.up()
    before = watched.until(Phase.complete)
    project.engine.halt()
    with pytest.raises(Unavailable):
        watched.look()
    watched.woken.clear()
    project.engine.start()
    assert watched.woken.wait(within(20)), "the listener did not come back"
    after = watched.until(Phase.complete)
    assert after.fingerprint == before.fingerprint
    assert after.exits == ()
    watched.woken.clear()
    project.compose("restart", "web")
    assert watched.woken.wait(within(5))
    gc.collect()
