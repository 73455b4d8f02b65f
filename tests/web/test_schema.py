"""Every answer is one that /openapi.json declares, whatever is sent."""

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

pytestmark = pytest.mark.slow

OPERATIONS = [
    "GET /healthz",
    "GET /readyz",
    "GET /metrics",
    "GET /api/v1/status",
    "GET /api/v1/targets/{name}/history",
    "GET /api/v1/incidents",
    "GET /api/v1/incidents/{incident}",
    "POST /api/v1/targets/{name}/rollback",
    "POST /api/v1/targets/{name}/pause",
    "POST /api/v1/targets/{name}/resume",
    "POST /api/v1/targets/{name}/approve",
    "POST /api/v1/incidents/{incident}/approve",
]


@pytest.fixture(scope="module")
def operations(unserved):
    schema = schemathesis.openapi.from_asgi("/openapi.json", unserved.app, headers={"Host": "127.0.0.1"})
    return {found.ok().label: found.ok() for found in schema.get_all_operations()}


def test_these_are_all(operations):
    assert sorted(operations) == sorted(OPERATIONS)


@pytest.mark.parametrize("label", OPERATIONS)
def test_answers_are_as_declared(operations, label):
    @given(case=operations[label].as_strategy())
    @settings(max_examples=15, database=None, suppress_health_check=list(HealthCheck))
    def check(case):
        case.call_and_validate(headers={"Host": "127.0.0.1", "Authorization": "Bearer t0ken-of-the-tests"})

    check()
