from __future__ import annotations

from tests.kubernetes.examples import release_object
from watchdog.kubernetes.releases import release_of
from watchdog.model.target import HelmSpec, Target
from watchdog.observe.helm.guarded import Guarded


def target(name: str, namespace: str, release: str, *exclude: str) -> Target:
    return Target(name=name, spec=HelmSpec(namespace=namespace, release=release, exclude=exclude))


def names(targets: list[Target], name: str, namespace: str = "shop", **labels: str) -> list[str]:
    release = release_of(release_object(name, namespace=namespace, **labels))
    assert release is not None
    return Guarded(targets).names(release)


def test_a_release_of_its_own():
    assert names([target("api", "shop", "app")], "app") == ["api"]
    assert names([target("api", "shop", "app")], "app", namespace="other") == []
    assert names([target("api", "shop", "app")], "other") == []


def test_found_by_a_pattern():
    assert names([target("all", "shop", "*")], "app") == ["all.app"]
    assert names([target("all", "*", "*")], "app") == ["all.shop.app"]
    assert names([target("all", "*", "app")], "app") == ["all.shop.app"]
    assert names([target("all", "shop", "*")], "app", namespace="other") == []


def test_its_own_target_goes_before_a_pattern():
    assert names([target("all", "shop", "*"), target("api", "shop", "app")], "app") == ["api"]


def test_excluded():
    assert names([target("all", "*", "*", "app")], "app") == []
    assert names([target("all", "*", "*", "shop/app")], "app") == []
    assert names([target("all", "*", "*", "other/app")], "app") == ["all.shop.app"]


def test_the_switch_is_for_patterns():
    off = {"deploy-watchdog/guard": "false"}
    assert names([target("all", "shop", "*")], "app", **off) == []
    assert names([target("api", "shop", "app")], "app", **off) == ["api"]
