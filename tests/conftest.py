"""For every test: its time is the runner's matter, not hypothesis's; its processor time is written down."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine a slow example says nothing about the code. The parent is hypothesis's own profile: "ci" under CI.
settings.register_profile("patient", settings.default, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


_began = pytest.StashKey[float]()


def _processor() -> float:
    """Seconds of processor time of this process and of all that it has waited for."""
    return sum(os.times()[:4])


def pytest_runtest_setup(item: pytest.Item) -> None:
    item.stash[_began] = _processor()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Into pytest's report, from which scripts/suite.py reads it. What a file's tests share is no one test's."""
    used = _processor()
    try:
        yield
    finally:
        if nextitem is not None and nextitem.parent is item.parent:
            used = _processor()
        item.user_properties.append(("processor", round(used - item.stash[_began], 2)))
