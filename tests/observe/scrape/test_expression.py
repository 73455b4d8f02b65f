"""What a page can be asked."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from watchdog.observe.scrape.expression import parse_expression
from watchdog.observe.selector import BadSelector


@pytest.mark.parametrize(
    ("text", "selector", "window"),
    [
        ('memory_bytes{ kind = "rss" }', 'memory_bytes{kind="rss"}', None),
        ("rate(cpu_seconds_total[1m])", "cpu_seconds_total", timedelta(minutes=1)),
        ('rate( cpu_seconds_total{mode=~"a|b"} [ 1m30s ] )', 'cpu_seconds_total{mode=~"a|b"}', timedelta(seconds=90)),
    ],
)
def test_selectors_and_their_rates(text, selector, window):
    expression = parse_expression(text)
    assert (str(expression.selector), expression.window) == (selector, window)


def test_numbers():
    assert parse_expression(" 1e9 ").number == 1e9
    assert parse_expression(" 1e9 ").selector is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sum(rate(a[1m]))", "can be a selector, rate(SELECTOR[1m]) or a number"),
        ("sum by (pod) (a)", "other expressions need Prometheus"),
        ("a / b", "at character 3, expected its end"),
        ("rate(a[1y])", "expected a duration"),
        ("rate(a / b[1m])", "expected its end"),
        ("", "a metric name"),
    ],
)
def test_all_else_needs_prometheus(text, words):
    with pytest.raises(BadSelector, match=re.escape(words)):
        parse_expression(text)
