"""The tests' own engine and project do what the other tests build on."""

import pytest

from tests.real.docker_engine import Project
from tests.waiting import wait_until

pytestmark = pytest.mark.docker


def test_a_deploy_by_variable(project: Project):
    project.up()
    project.wait_for("1")
    project.image("api", "2")
    project.up(API_IMAGE=f"{project.name}-api:2")
    project.wait_for("2")
    assert project.container("migrate")["State"]["ExitCode"] == 0
    assert project.get("/cgi-bin/metrics")[1].count("http_requests_total{") == 2


def test_a_crash_loop(project: Project):
    project.image("api", "2", fault="crash")
    project.up(API_IMAGE=f"{project.name}-api:2")
    wait_until(lambda: project.container("api")["RestartCount"] >= 2, "two restarts")


def test_an_unhealthy_version(project: Project):
    project.image("api", "2", fault="health")
    project.up(API_IMAGE=f"{project.name}-api:2")
    wait_until(lambda: project.container("api")["State"]["Health"]["Status"] == "unhealthy", "an unhealthy container")
    assert project.get()[0] == 503
