"""Which changes of a version label are deploys."""

from __future__ import annotations

import pytest

from watchdog.model.series import Series
from watchdog.observe.prometheus.version_label import arrivals


@pytest.mark.parametrize(
    ("present", "found"),
    [
        ({}, []),
        ({"v1": range(60)}, []),  # it came before the first moment
        ({"v1": range(10), "v2": range(10, 60)}, [(10, "v2")]),
        ({"v1": range(15), "v2": range(10, 60)}, [(10, "v2")]),  # side by side for a while
        ({"v1": range(60), "v2": range(10, 20)}, [(10, "v2")]),  # a canary that went again
        ({"v1": [*range(10), *range(40, 60)]}, []),  # the monitoring was away
        ({"v1": range(10), "v2": range(40, 60)}, [(40, "v2")]),  # … while a deploy came
        ({"v1": [*range(10), *range(20, 60)], "v2": range(10, 20)}, [(10, "v2"), (20, "v1")]),  # rolled back
        ({"v1": range(60), "v2": [10, 12, 13, 20]}, [(10, "v2")]),  # a canary that crashes and restarts
        ({"v1": range(60), "v2": [10, 11, 40, 41]}, [(10, "v2"), (40, "v2")]),  # a canary that was tried again
        ({"v1": range(10), "v2": range(10, 30), "v3": range(30, 60)}, [(10, "v2"), (30, "v3")]),
        ({"": range(60), "v1": [5, 6]}, []),  # series without the label say nothing
    ],
)
def test_a_deploy_is_a_value_that_was_not_there_before(present, found):
    series = [Series.of({"version": v}, ((60.0 * m, 1.0) for m in minutes)) for v, minutes in present.items()]
    assert arrivals(series, "version") == [(60 * minute, value) for minute, value in found]
