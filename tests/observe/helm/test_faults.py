"""The stream of releases while the API server misbehaves: in the end the newest revisions are known all the same."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.observe.helm.api_server import Api, refusal, release, serving
from tests.waiting import wait_until, within
from watchdog.model.target import HelmSpec, Target
from watchdog.observe.helm import release_stream as helm_releases
from watchdog.observe.helm.platform import HelmPlatform

pytestmark = pytest.mark.slow

NOW = datetime(2026, 11, 25, 13, tzinfo=UTC)


class Woken:
    """What `wake` was called with."""

    def __init__(self) -> None:
        self.names: queue.Queue[str] = queue.Queue()

    def __call__(self, name: str) -> None:
        self.names.put(name)

    def next(self) -> str:
        """The next name; fails when none comes."""
        return self.names.get(timeout=within(5))

    def none(self) -> bool:
        """Whether nothing more was said."""
        return self.names.empty()


@pytest.fixture
def api() -> Iterator[Api]:
    with serving() as server:
        yield server


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def pattern(api: Api, tmp_path: Path) -> Target:
    spec = HelmSpec(release="*", namespace="shop", exclude=("tools",), kubeconfig=api.kubeconfig(tmp_path))
    return Target(name="all", spec=spec)


@pytest.fixture
def platform() -> Iterator[HelmPlatform]:
    made = HelmPlatform()
    yield made
    made.stop()


def test_a_long_list_comes_in_pages_and_glances_then_cost_nothing(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken
):
    api.releases, api.pages_of = [release(f"app-{i}") for i in range(25)], 10
    platform.start([pattern], woken)
    assert sorted(woken.next() for _ in range(25)) == sorted(f"all.app-{i}" for i in range(25))
    found = pattern.found("shop", "app-7")

    def glance_is_free() -> bool:
        """A glance before the watch is open asks for the release itself."""
        asked = len(api.asked)
        seen = platform.snapshot(found, NOW, whole=False)
        return (seen.fingerprint, seen.whole, len(api.asked)) == ("v1-00000001", False, asked)

    wait_until(glance_is_free, "glances cost no request")
    assert len([query for query in api.of("list") if "name=" not in query["labelSelector"]]) == 3


def test_an_expired_resource_version_means_a_new_list(api: Api, platform: HelmPlatform, pattern: Target, woken: Woken):
    api.releases = [release("api")]
    platform.start([pattern], woken)
    assert woken.next() == "all.api"
    api.releases = [release("api", 2), release("web")]
    api.says("ERROR", refusal(410, "too old resource version"))
    assert {woken.next(), woken.next()} == {"all.api", "all.web"}


def test_a_resource_version_that_expired_while_away_means_a_new_list(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken
):
    api.releases = [release("api")]
    platform.start([pattern], woken)
    assert woken.next() == "all.api"
    wait_until(lambda: api.of("watch"), "the watch is open")
    api.releases = [release("api", 2)]
    api.refuses("watch", 410)
    api.drops()
    assert woken.next() == "all.api"


def test_a_dropped_stream_goes_on_where_it_was_without_a_list(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken
):
    api.releases = [release("api")]
    platform.start([pattern], woken)
    assert woken.next() == "all.api"
    bookmark = {"kind": "PartialObjectMetadata", "metadata": {"resourceVersion": "77"}}
    api.says("BOOKMARK", bookmark)
    api.drops()
    api.says("ADDED", release("api", 2, "pending-upgrade"))
    assert woken.next() == "all.api"
    assert [query["resourceVersion"] for query in api.of("watch")] == ["10", "77"]
    assert len(api.of("list")) == 1


def test_a_release_that_is_deleted_is_told_of(api: Api, platform: HelmPlatform, pattern: Target, woken: Woken):
    api.releases = [release("api")]
    platform.start([pattern], woken)
    assert woken.next() == "all.api"
    api.releases = []
    api.says("DELETED", release("api"))
    assert woken.next() == "all.api"
    assert platform.snapshot(pattern.found("shop", "api"), NOW, whole=False).fingerprint == ""


def test_excluded_releases_and_those_with_their_own_target_are_not_found_twice(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken
):
    own = Target(name="billing", spec=pattern.spec.model_copy(update={"release": "bill", "exclude": ()}))
    off = release("off", **{"deploy-watchdog/guard": "false"})
    api.releases = [release("tools"), release("bill"), off, release("api")]
    platform.start([pattern, own], woken)
    assert {woken.next(), woken.next()} == {"billing", "all.api"}
    wait_until(lambda: api.of("watch"), "the watch is open")
    assert woken.none()


def test_a_throttling_api_server_is_waited_for(api: Api, platform: HelmPlatform, pattern: Target, woken: Woken):
    api.releases = [release("api")]
    api.refuses("list", 429, Retry_After="1")
    platform.start([pattern], woken)
    assert woken.next() == "all.api"
    first, second = (at for at, what, _ in api.asked[:2] if what == "list")
    assert second - first >= 1


def test_a_watch_that_is_throttled_waits_as_long_as_it_is_told(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken
):
    api.refuses("watch", 429, Retry_After="2")
    platform.start([pattern], woken)
    wait_until(lambda: len(api.of("watch")) == 2, "the second attempt")
    first, second = (at for at, what, _ in api.asked if what == "watch")
    assert second - first >= 2


def test_rights_that_are_taken_away_and_given_back(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken, caplog: pytest.LogCaptureFixture
):
    api.releases = [release("api")]
    platform.start([pattern], woken)
    assert woken.next() == "all.api"
    wait_until(lambda: api.of("watch"), "the watch is open")
    for _ in range(2):
        api.refuses("watch", 403, "secrets is forbidden: user u may not watch")
    api.drops()
    api.says("ADDED", release("api", 2))
    assert woken.next() == "all.api"
    told = [r.getMessage() for r in caplog.records if "forbidden" in r.getMessage()]
    assert len(told) == 1


def test_a_server_that_ends_each_watch_at_once_is_not_asked_in_a_busy_loop(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken
):
    api.ends_at_once = True
    platform.start([pattern], woken)
    wait_until(lambda: len(api.of("watch")) >= 4, "four attempts")
    first, *_, last = [at for at, what, _ in api.asked if what == "watch"][:4]
    assert last - first >= 3 * helm_releases.FIRST_PAUSE


def test_the_resync_finds_what_the_stream_never_told(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(helm_releases, "RESYNC", 0.3)
    api.releases = [release("api")]
    platform.start([pattern], woken)
    assert woken.next() == "all.api"
    api.releases = [release("api", 2), release("web")]
    wait_until(lambda: api.of("watch"), "the watch is open")

    def is_listed_again() -> bool:
        """Once the resync is due, any event of the stream brings it about."""
        api.says("BOOKMARK", {"metadata": {"resourceVersion": "20"}})
        return len(api.of("list")) > 1

    wait_until(is_listed_again, "the resync")
    assert {woken.next(), woken.next()} == {"all.api", "all.web"}


def test_a_found_release_that_is_switched_off_is_let_go(
    api: Api, platform: HelmPlatform, pattern: Target, woken: Woken
):
    api.releases = [release("api")]
    platform.start([pattern], woken)
    assert woken.next() == "all.api"
    off = release("api", **{"deploy-watchdog/guard": "false"})
    api.releases = [off]
    api.says("MODIFIED", off)
    assert woken.next() == "all.api"
    assert platform.snapshot(pattern.found("shop", "api"), NOW, whole=False).fingerprint == ""
