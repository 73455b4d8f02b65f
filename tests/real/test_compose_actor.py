"""Rolling a real project back on a real engine."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tests.real.docker_engine import Project
from tests.waiting import wait_until
from watchdog.act.compose.actor import ComposeActor
from watchdog.errors import Refused
from watchdog.model.deploy import Phase, Revision, Snapshot
from watchdog.model.rollback import ActResult, Plan
from watchdog.observe.compose.platform import ComposePlatform

pytestmark = pytest.mark.docker


class Shop:
    """A project with a platform that reads it and an actor that brings it back."""

    def __init__(self, project: Project) -> None:
        self.project, self.target = project, project.target()
        self.platform, self.actor = ComposePlatform(), ComposeActor()
        self.platform.start([self.target], lambda _: None)

    def close(self) -> None:
        self.platform.stop()
        self.actor.close()

    def look(self) -> Snapshot:
        return self.platform.snapshot(self.target, datetime.now(UTC))

    def settle(self) -> Snapshot:
        wait_until(lambda: self.look().rollout.phase is Phase.complete, "a complete rollout")
        return self.look()

    def record(self, name: str = "r1") -> Revision:
        found = self.look()
        recorded = self.platform.record(self.target, found, None)
        return Revision(
            target="shop", id=name, fingerprint=found.fingerprint, seen_at=found.at, **recorded.model_dump()
        )

    def plan(self, to: Revision) -> Plan:
        running = self.look()
        return Plan(
            id="rb-1",
            target="shop",
            watch="w-1",
            from_revision="r2",
            from_fingerprint=running.fingerprint,
            to_revision=to.id,
            draft=self.actor.draft(self.target, to, running),
            made_at=running.at,
        )

    def roll_back(self, to: Revision) -> tuple[Plan, ActResult]:
        plan = self.plan(to)
        assert self.actor.matches(self.target, plan, self.look()) != ()
        result = self.actor.execute(self.target, plan, to)
        if result.ok:
            assert self.actor.matches(self.target, plan, self.settle()) == ()
        return plan, result


@pytest.fixture
def shop(project: Project) -> Iterator[Shop]:
    project.up()
    shop = Shop(project)
    shop.settle()
    yield shop
    shop.close()


def ids(project: Project, *services: str) -> list[object]:
    return [project.container(service)["Id"] for service in services]


def test_from_a_crash_loop_back_to_the_old_image(project: Project, shop: Shop):
    good, web = shop.record(), ids(project, "web", "migrate")
    project.image("api", "2", fault="crash")
    project.up(API_IMAGE=f"{project.name}-api:2")
    wait_until(lambda: len(shop.look().exits) >= 2, "two exits")
    web[1] = ids(project, "migrate")[0]
    plan, result = shop.roll_back(good)
    assert result.ok, result.output
    assert result.reason == "api brought back from r1"
    assert plan.draft.changes == ("api",)
    assert plan.draft.expected == {"api": project.images["api:1"], "web": project.images["web:1"]}
    assert plan.draft.commands[0][-9:] == (
        "-f",
        "-",
        "up",
        "--detach",
        "--no-deps",
        "--no-build",
        "--pull",
        "never",
        "api",
    )
    assert plan.draft.warnings == ("one-shot service migrate is not run again",)
    assert ids(project, "web", "migrate") == web, "what did not change was touched"
    assert shop.look().exits == ()
    project.wait_for("1")


def test_the_same_plan_again_changes_nothing(project: Project, shop: Shop):
    good = shop.record()
    project.image("api", "2")
    project.up(API_IMAGE=f"{project.name}-api:2")
    plan, first = shop.roll_back(good)
    containers = ids(project, "api", "web")
    again = shop.actor.execute(shop.target, plan, good)
    assert (first.ok, again.ok, again.reason) == (True, True, "already as planned (r1)")
    assert ids(project, "api", "web") == containers


def test_a_variable_is_brought_back(project: Project, shop: Shop):
    good = shop.record()
    project.up(COLOUR="magenta", FEATURE_X="on")
    plan, result = shop.roll_back(good)
    assert result.ok, result.output
    assert plan.draft.changes == ("api", "web")
    assert "COLOUR=blue" in project.container("web")["Config"]["Env"]
    assert "FEATURE_X=off" in project.container("api")["Config"]["Env"]


def test_after_a_rollback_the_next_one_leaves_alone_what_it_brought_back(project: Project, shop: Shop):
    good = shop.record()
    project.image("api", "2")
    project.up(API_IMAGE=f"{project.name}-api:2")
    shop.roll_back(good)
    restored = shop.record("r3")
    assert (restored.exact, restored.images["api"]) == (True, project.images["api:1"])
    project.up("web", COLOUR="magenta", API_IMAGE=project.images["api:1"])
    assert shop.plan(good).draft.changes == ("web",)


def test_a_tag_that_points_elsewhere_is_brought_back_by_id(project: Project, shop: Shop):
    good = shop.record()
    shop.actor.preserve(shop.target, [good])
    project.image("web", "1", fault="crash")
    project.up()
    wait_until(lambda: len(shop.look().exits) >= 1, "an exit")
    assert shop.roll_back(good)[1].ok
    assert project.running()["web"] == project.images["web:1"]


def test_kept_images_survive_a_prune_and_compose_does_not_see_what_keeps_them(project: Project, shop: Shop):
    good = shop.record()
    shop.actor.preserve(shop.target, [good])
    before = project.compose("ps", "--all", "--quiet")
    project.image("api", "2")
    project.image("web", "2")
    project.up(API_IMAGE=f"{project.name}-api:2", WEB_IMAGE=f"{project.name}-web:2")
    project.engine.docker("image", "prune", "--all", "--force")
    assert shop.roll_back(good)[1].ok
    assert project.running()["api"] == project.images["api:1"]
    assert len(project.compose("ps", "--all", "--quiet").split()) == len(before.split()) == 3


def test_a_system_prune_that_knows_the_label_leaves_them(project: Project, shop: Shop):
    good = shop.record()
    shop.actor.preserve(shop.target, [good])
    project.image("web", "2")
    project.up("web", WEB_IMAGE=f"{project.name}-web:2")
    project.engine.docker("system", "prune", "--all", "--force", "--filter", "label!=deploy-watchdog.keep")
    assert shop.roll_back(good)[1].ok
    project.engine.docker("system", "prune", "--all", "--force")
    assert project.engine.client.api.containers(all=True, filters={"label": "deploy-watchdog.keep"}) == []


def test_what_is_kept_no_longer_is_let_go(project: Project, shop: Shop):
    kept = {"label": "deploy-watchdog.keep=shop"}
    shop.actor.preserve(shop.target, [shop.record()])
    shop.actor.preserve(shop.target, [shop.record()])
    api = project.engine.client.api
    assert sorted(c["ImageID"] for c in api.containers(all=True, filters=kept)) == sorted(project.images.values())
    shop.actor.preserve(shop.target, [])
    assert api.containers(all=True, filters=kept) == []


def test_an_image_built_by_compose_is_kept_out_of_its_sight(project: Project, shop: Shop):
    labels = {"com.docker.compose.project": project.name, "com.docker.compose.service": "api"}
    image = project.engine.image(f"{project.name}-built:1", labels=labels)
    shop.actor.preserve(shop.target, [shop.record().model_copy(update={"images": {"api": image}})])
    assert "built" not in project.compose("ps", "--all")
    shop.actor.preserve(shop.target, [])


def test_an_image_that_is_gone_is_refused_before_anything_is_touched(project: Project, shop: Shop):
    good = shop.record()
    project.image("web", "2")
    project.up(WEB_IMAGE=f"{project.name}-web:2")
    project.engine.docker("image", "prune", "--all", "--force")
    with pytest.raises(Refused, match="of service web is gone: r1 cannot be brought back"):
        shop.plan(good)
    with pytest.raises(Refused, match="images are gone"):
        shop.actor.preserve(shop.target, [good])
    shop.actor.preserve(shop.target, [])


def test_a_changed_file_is_said_before_it_acts(project: Project, shop: Shop):
    good = shop.record()
    (project.directory / "api.conf").write_text("workers = 0\n")
    project.image("api", "2")
    project.up(API_IMAGE=f"{project.name}-api:2")
    path = project.directory / "api.conf"
    assert f"file {path}, mounted by api, has changed since; it stays as it is now" in shop.plan(good).draft.warnings
    path.unlink()
    assert f"file {path}, mounted by api, is gone and cannot be brought back" in shop.plan(good).draft.warnings


def test_a_service_that_came_with_the_bad_version_goes_and_its_volume_stays(project: Project, shop: Shop):
    good = shop.record()
    project.edit(
        "  migrate:\n",
        "  worker:\n    image: PROJECT-web:1\n    network_mode: host\n    volumes: [work:/work]\n  migrate:\n".replace(
            "PROJECT", project.name
        ),
    )
    project.edit("  state: {}\n", "  state: {}\n  work: {}\n")
    project.up(COLOUR="magenta")
    plan, result = shop.roll_back(good)
    assert result.ok, result.output
    assert plan.draft.changes == ("web", "worker")
    assert "service worker came later: it is stopped and removed, its volumes are kept" in plan.draft.warnings
    assert set(project.running()) == {"api", "web"}
    assert f"{project.name}_work" in project.engine.docker("volume", "ls", "--quiet")


def test_data_in_volumes_is_kept_whatever_became_of_their_definition(project: Project, shop: Shop):
    good, name = shop.record(), f"{project.name}-api-1"
    project.engine.docker("exec", name, "sh", "-c", "echo precious > /state/data")
    project.edit("  state: {}\n", "  state: {labels: {changed: 'yes'}}\n")
    project.image("api", "2")
    project.up(API_IMAGE=f"{project.name}-api:2")
    assert shop.roll_back(good)[1].ok
    assert project.engine.docker("exec", name, "cat", "/state/data") == "precious\n"


def test_scale_stays_as_it_is(project: Project, shop: Shop):
    good = shop.record()
    project.compose("up", "-d", "--scale", "web=2", env={"COLOUR": "magenta"})
    assert shop.roll_back(good)[1].ok
    assert [project.container("web", n)["State"]["Status"] for n in (1, 2)] == ["running", "running"]


def test_a_failed_migration_is_put_away_and_not_run_again(project: Project, shop: Shop):
    good = shop.record()
    project.up(check=False, MIGRATE_EXIT="3")
    assert shop.look().rollout.phase is Phase.failed
    plan, result = shop.roll_back(good)
    assert result.ok
    assert plan.draft.changes == ("migrate",)
    assert "the failed container of one-shot service migrate is removed" in plan.draft.warnings
    assert shop.look().fingerprint == good.fingerprint


def test_migrations_are_run_again_where_the_target_says_so(project: Project, shop: Shop):
    good = shop.record()
    project.up(check=False, MIGRATE_EXIT="3")
    shop.target = project.target(rollback={"rerun_one_shots": True})
    plan, result = shop.roll_back(good)
    assert result.ok, result.output
    assert plan.draft.changes == ("migrate",)
    wait_until(lambda: project.container("migrate")["State"]["Status"] == "exited", "the migration to end")
    assert project.container("migrate")["State"]["ExitCode"] == 0


def test_a_revision_of_images_only_uses_todays_file_and_says_so(project: Project, shop: Shop):
    project.edit("COLOUR:", "COLOR:")
    good = shop.record()
    assert not good.exact
    project.image("web", "2")
    project.up("web", WEB_IMAGE=f"{project.name}-web:2")
    plan, result = shop.roll_back(good)
    assert result.ok, result.output
    assert plan.draft.warnings[0].startswith("only the images of web are brought back, in the config of today's files")
    assert project.running()["web"] == project.images["web:1"]


def test_the_watchdogs_own_service_is_never_touched(project: Project, monkeypatch: pytest.MonkeyPatch):
    project.up()
    monkeypatch.setenv("WATCHDOG_CONTAINER_ID", str(project.container("web")["Id"]))
    shop = Shop(project)
    try:
        shop.settle()
        good = shop.record()
        project.image("api", "2")
        project.up("api", API_IMAGE=f"{project.name}-api:2")
        project.image("web", "1")
        own = ids(project, "web")
        plan, result = shop.roll_back(good)
        assert result.ok, result.output
        assert plan.draft.changes == ("api",)
        assert ids(project, "web") == own
    finally:
        shop.close()


def test_a_time_limit(project: Project, shop: Shop):
    good = shop.record()
    # The running version ignores TERM, and its grace period is longer than the rollback may take.
    stubborn = """["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"]"""
    project.write(project.file.read_text().replace("grace_period: 3s", "grace_period: 60s"))
    project.edit("  web:\n", f"  web:\n    command: {stubborn}\n")
    project.up()
    shop.target = project.target(rollback={"timeout": "2s"})
    result = shop.actor.execute(shop.target, shop.plan(good), good)
    assert not result.ok
    assert result.reason.startswith("`docker compose up` did not finish in time")


def test_an_engine_that_is_away_is_a_result(project: Project, shop: Shop):
    good = shop.record()
    plan = shop.plan(good)
    spec = project.spec.model_copy(update={"docker_host": f"unix://{project.directory}/none.sock"})
    result = shop.actor.execute(shop.target.model_copy(update={"spec": spec}), plan, good)
    assert not result.ok
    assert result.reason.startswith("cannot reach the Docker engine at unix://")


def test_a_network_that_the_bad_version_changed_is_used_as_it_is(project: Project, shop: Shop):
    project.edit("  migrate:\n", f"  worker:\n    image: {project.name}-web:1\n    networks: [inner]\n  migrate:\n")
    project.edit("volumes:\n  state", "networks:\n  inner: {labels: {version: '1'}}\nvolumes:\n  state")
    project.up()
    shop.settle()
    good, untouched = shop.record(), ids(project, "api", "web")
    project.edit("networks: [inner]", "networks: [inner]\n    environment: {COLOUR: red}")
    project.edit("version: '1'", "version: '2'")
    project.up()
    plan, result = shop.roll_back(good)
    assert result.ok, result.output
    assert plan.draft.changes == ("worker",)
    assert ids(project, "api", "web") == untouched
    network = project.engine.client.api.inspect_network(f"{project.name}_inner")
    assert network["Labels"]["version"] == "2"
    assert list(network["Containers"]) == ids(project, "worker")
