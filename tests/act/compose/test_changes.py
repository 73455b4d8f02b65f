"""What a rollback of a Compose project would change, from literal containers and revisions."""

from datetime import UTC, datetime, timedelta

import pytest

from watchdog.act.compose.changes import unlike_plan, work_out
from watchdog.act.compose.config import scale_of
from watchdog.compose.engine import Container
from watchdog.compose.pinned import leaving_alone, pinned
from watchdog.model.deploy import Revision

T0 = datetime(2026, 5, 1, tzinfo=UTC)
ONE, TWO = "sha256:" + "1" * 64, "sha256:" + "2" * 64


def container(service, image=ONE, config_hash="h1", *, number="1", state="running", code=0, labels=None):
    return Container(
        id=f"{service}{number}".ljust(64, "0"),
        name=f"shop-{service}-{number}",
        service=service,
        config_hash=config_hash,
        image=image,
        image_name="shop:1",
        created=T0 + timedelta(seconds=int(number)),
        state=state,
        exit_code=code,
        oom_killed=False,
        error="",
        started_at=T0,
        finished_at=None,
        restarts=0,
        restart_policy="always",
        health="none",
        stop_signal="SIGTERM",
        number=number,
        labels=labels or {},
    )


def revision(images=None, exact=None, **recorded):
    images = images or {"api": ONE, "web": ONE}
    kept = {
        "hashes": dict.fromkeys(images, "h1"),
        "pinned_hashes": dict.fromkeys(images, "p1"),
        "exact_services": sorted(images) if exact is None else exact,
        **recorded,
    }
    return Revision(target="shop", id="r1", fingerprint="f", seen_at=T0, images=images, recorded=kept)


def changes(found, to=None, own=None, *, rerun=False):
    return work_out(to or revision(), found, own, rerun_one_shots=rerun)


def test_nothing_differs():
    assert changes([container("api"), container("web", config_hash="p1")]).bring_up == ()


@pytest.mark.parametrize("other", [container("api", TWO), container("api", ONE, "h2")])
def test_an_image_or_a_config_differs(other):
    found = changes([other, container("web")])
    assert (found.bring_up, found.expected) == (("api",), {"api": ONE, "web": ONE})


def test_one_of_several_containers_differs():
    assert changes([container("api"), container("api", TWO, number="2"), container("web")]).bring_up == ("api",)


def test_a_service_that_is_gone_is_brought_back():
    assert changes([container("web")]).bring_up == ("api",)


def test_a_service_that_came_later_is_removed_unless_the_revision_knew_it():
    found = [container("api"), container("web"), container("worker")]
    assert changes(found).remove == ("worker",)
    assert changes(found, revision(config={"services": {"worker": {}}})).remove == ()


def test_one_shots_are_left_alone():
    to = revision({"api": ONE, "migrate": ONE}, one_shots=["migrate"])
    found = [container("api", TWO), container("migrate", TWO, state="exited")]
    left = changes(found, to)
    assert (left.bring_up, left.clear, left.expected) == (("api",), (), {"api": ONE})
    assert left.warnings == ("one-shot service migrate is not run again",)
    assert changes(found, to, rerun=True).bring_up == ("api", "migrate")


def test_the_failed_run_of_a_one_shot_is_put_away():
    to = revision({"api": ONE, "migrate": ONE}, one_shots=["migrate"])
    found = changes([container("api"), container("migrate", TWO, "h2", state="exited", code=3)], to)
    assert (found.bring_up, found.clear) == ((), ("migrate",))


def test_the_watchdogs_own_service_is_never_in_it():
    found = changes([container("api", TWO), container("web", TWO)], own="web")
    assert (found.bring_up, found.expected) == (("api",), {"api": ONE})
    assert changes([container("api"), container("web"), container("dog")], own="dog").remove == ()


def test_what_was_not_proved_is_said():
    to = revision(exact=["web"]).model_copy(update={"note": "images only: file gone"})
    found = changes([container("api", TWO), container("web")], to)
    assert found.warnings == (
        "only the images of api are brought back, in the config of today's files (images only: file gone)",
    )
    left = changes([container("api", ONE, "h9"), container("web")], to)
    assert left.bring_up == ()
    assert left.warnings == ("the config of api is another than it was and cannot be brought back",)


def test_a_secret_from_somebodys_shell_is_said():
    config = {"services": {"api": {"secrets": [{"source": "key"}]}}, "secrets": {"key": {"environment": "KEY"}}}
    found = changes([container("api", TWO), container("web")], revision(config=config))
    assert found.warnings == ("secret key (variable KEY) is not recorded and must be in the watchdog's environment",)


def test_unlike_the_plan():
    expected = {"api": ONE, "web": ONE, "db": ONE}
    found = unlike_plan(expected, [container("api", TWO), container("web")], None)
    assert found == ["service db has no container", f"service api runs image {TWO[:19]}, planned is {ONE[:19]}"]


def test_a_pinned_config_has_only_what_runs_with_nothing_to_build_or_pull():
    config = {
        "name": "shop",
        "services": {
            "api": {"image": "a:1", "build": ".", "pull_policy": "always", "depends_on": {"gone": {}, "web": {}}},
            "web": {"image": "w:1", "profiles": ["x"], "environment": {"A": "b$$c"}},
            "gone": {"image": "g:1"},
        },
    }
    assert pinned(config, {"api": ONE, "web": TWO}) == {
        "name": "shop",
        "services": {
            "api": {"image": ONE, "depends_on": {"web": {}}},
            "web": {"image": TWO, "environment": {"A": "b$$c"}},
        },
    }
    assert config["services"]["api"]["image"] == "a:1"


def test_networks_and_volumes_that_exist_are_used_as_they_are():
    config = {
        "name": "shop",
        "services": {},
        "networks": {"default": {"name": "shop_default"}},
        "volumes": {"state": None, "new": {}},
    }
    left = leaving_alone(config, {"shop_default"}, {"shop_state"})
    assert left["networks"] == {"default": {"name": "shop_default", "external": True}}
    assert left["volumes"] == {"state": {"name": "shop_state", "external": True}, "new": {}}


@pytest.mark.parametrize(("body", "scale"), [({}, 1), ({"scale": 3}, 3), ({"deploy": {"replicas": 2}}, 2)])
def test_scale(body, scale):
    assert scale_of(body) == scale
