"""Selectors of one rule, and the fewest requests that bring their raw samples."""

from __future__ import annotations

import pytest

from watchdog.observe.prometheus.ranges import requests_for

A, B = 'a_total{job="x"}', 'b_total{job="x"}'


@pytest.mark.parametrize(
    ("selectors", "texts"),
    [
        ([A], ['a_total{job="x"}']),
        (["a_total"], ["a_total"]),
        ([A, B], ['{__name__=~"a_total|b_total",job="x"}']),
        (["a_total", "b_total"], ['{__name__=~"a_total|b_total"}']),
        (['a_total{code=~"5..",job="x"}', A], ['a_total{job="x"}']),
        (['b_total{code="5",job="x"}', A], ['{__name__=~"a_total|b_total",job="x"}']),
        # None is within the other: the union would be wider than both.
        (['a_total{code="5"}', 'a_total{code="4"}'], ['a_total{code="5"}', 'a_total{code="4"}']),
        (["x_bucket"], ['{__name__=~"x|x_bucket"}']),
        ([r'a_total{path=~"a\\.b\"c"}'], [r'a_total{path=~"a\\.b\"c"}']),
        (["rate(a_total[5m])"], ["rate(a_total[5m])"]),  # Prometheus says what is wrong with it
        (['{__name__="a"}', A], ['a_total{job="x"}', '{__name__="a"}']),
        ([], []),
    ],
)
def test_as_few_requests_as_the_selectors_allow(selectors, texts):
    requests = requests_for({str(number): text for number, text in enumerate(selectors)})
    assert [request.text for request in requests] == texts


def test_each_selector_takes_only_its_own_series():
    (request,) = requests_for({"total": A, "events": 'b_total{code=~"5..",job="x"}'})
    total, events = request.wanted
    a, b = {"__name__": "a_total", "job": "x"}, {"__name__": "b_total", "job": "x"}
    assert [total.key, total.takes(a), total.takes(b)] == ["total", True, False]
    assert [events.takes(a), events.takes(b), events.takes({**b, "code": "503"})] == [False, False, True]
