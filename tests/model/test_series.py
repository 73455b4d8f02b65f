"""Many samples in little memory."""

from __future__ import annotations

import pytest

from watchdog.model.series import Series


def test_arrays_of_doubles_that_numpy_can_read_in_place():
    series = Series.of({"pod": "a"}, [(1.5, 10.0), (16.5, 12.0)])
    with memoryview(series.values) as view:
        assert (view.format, view.nbytes, view.tolist()) == ("d", 16, [10.0, 12.0])
    assert len(series) == 2


def test_a_stretch_begins_after_its_start_and_ends_with_its_end():
    series = Series.of({"pod": "a"}, [(1, 10), (2, 20), (3, 30), (4, 40)])
    assert series.within(1, 3) == Series.of({"pod": "a"}, [(2, 20), (3, 30)])
    assert len(series.within(4, 9)) == 0


def test_each_value_has_a_time():
    with pytest.raises(ValueError, match="2 times, 1 values"):
        Series({}, Series.of({}, [(1, 1), (2, 2)]).at, Series.of({}, [(1, 1)]).values)
