"""Reading what a Docker engine and /proc say."""

from datetime import UTC, datetime

import pytest

from watchdog.compose.engine import Engines, container_id_in, host_of, instant, own_container, parse, service_of
from watchdog.errors import Unavailable

ID = "c0ffee" + "0" * 58


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T23:00:22.114825782Z", datetime(2026, 11, 23, 23, 0, 22, 114826, tzinfo=UTC)),
        ("2026-11-23T23:00:22Z", datetime(2026, 11, 23, 23, 0, 22, tzinfo=UTC)),
        ("2026-11-23T23:00:22.5+02:00", datetime(2026, 11, 23, 21, 0, 22, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
        (None, None),
        ("yesterday", None),
    ],
)
def test_times(text, expected):
    assert instant(text) == expected


def test_the_container_in_mountinfo():
    inside = f"612 590 254:0 /var/lib/docker/containers/{ID}/hostname /etc/hostname rw - ext4 /dev/vda rw\n"
    assert container_id_in(f"1 2 0:1 / / rw - overlay o rw\n{inside}", strict=True) == ID


def test_the_engines_own_mounts_are_not_ours():
    of_others = f"700 1 0:5 / /var/lib/docker/containers/{ID}/mounts/shm rw - tmpfs shm rw\n"
    assert container_id_in(of_others, strict=True) is None


@pytest.mark.parametrize(("line", "found"), [(f"5:memory:/docker/{ID}", ID), (f"0::/system.slice/docker-{ID}.scope", ID), ("0::/", None)])  # fmt: skip # noqa: E501
def test_the_container_in_cgroup(line, found):
    assert container_id_in(line, strict=False) == found


def test_it_can_be_told(monkeypatch):
    monkeypatch.setenv("WATCHDOG_CONTAINER_ID", ID)
    assert own_container() == ID


def test_whose_service_it_is():
    labels = {"com.docker.compose.service": "dog"}
    found = [parse({"Id": ID, "Config": {"Labels": labels}})]
    assert [service_of(found, i) for i in (ID, ID[:12], "f" * 64, "c0", None)] == ["dog", "dog", None, None, None]


def test_an_answer_with_almost_nothing_in_it():
    found = parse({"Id": ID})
    assert (found.state, found.health, found.restart_policy, found.environment) == ("dead", "none", "no", {})


def test_where_the_engine_is(monkeypatch):
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    assert host_of(None) == "unix:///var/run/docker.sock"
    monkeypatch.setenv("DOCKER_HOST", "tcp://10.0.0.1:2376")
    assert (host_of(None), host_of("unix:///x")) == ("tcp://10.0.0.1:2376", "unix:///x")


def test_nobody_there(tmp_path):
    with pytest.raises(Unavailable, match="cannot reach the Docker engine at unix://"):
        Engines().client(f"unix://{tmp_path}/none.sock")
