"""How a number is written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.model.numbers import plain


@pytest.mark.parametrize(
    ("value", "digits", "written"),
    [
        (0.0, 2, "0"),
        (0.002134, 2, "0.0021"),
        (0.43, 3, "0.43"),
        (4.949, 2, "4.9"),
        (2.0, 2, "2"),
        (99.96, 2, "100"),
        (490.2, 2, "490"),
        (-12345678.0, 3, "-12,345,678"),
        (float("nan"), 3, "nan"),
    ],
)
def test_as_people_write_it(value: float, digits: int, written: str) -> None:
    assert plain(value, digits) == written


@given(st.floats(1e-9, 1e15), st.sampled_from([2, 3]))
def test_never_with_an_exponent_and_close_to_the_value(value: float, digits: int) -> None:
    written = plain(value, digits)
    assert "e" not in written
    assert float(written.replace(",", "")) == pytest.approx(value, rel=0.5 * 10 ** (1 - digits) * 1.01, abs=1e-12)
