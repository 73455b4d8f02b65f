"""Selectors mean what they mean in Prometheus."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.observe.selector import BadSelector, parse_selector


@pytest.mark.parametrize(
    ("text", "labels", "meant"),
    [
        ("m", {}, True),
        ("m{}", {"a": "b"}, True),
        (' m { a = "b" , } ', {"a": "b"}, True),
        ('m{a="b"}', {"a": "c"}, False),
        ('m{a!="b"}', {}, True),
        ('m{a=""}', {}, True),
        ('m{a=~"5.."}', {"a": "503"}, True),
        ('m{a=~"5.."}', {"a": "5030"}, False),
        ('m{a=~"5"}', {"a": "503"}, False),
        ('m{a!~"5.."}', {"a": "200"}, True),
        ('m{a!~"5..",b="x"}', {"a": "200", "b": "y"}, False),
        ('m{a=~".+"}', {}, False),
        ('m{a=~"a.b"}', {"a": "a\nb"}, True),
        ("m{a='it\"s'}", {"a": 'it"s'}, True),
        ('m{a="q\\"\\\\\\n"}', {"a": 'q"\\\n'}, True),
        ("m{a=`\\d`}", {"a": "\\d"}, True),
        ("m{a=~`\\d+`}", {"a": "42"}, True),
        ('m{a="},{"}', {"a": "},{"}, True),
    ],
)
def test_which_series_are_meant(text, labels, meant):
    assert parse_selector(text).matches("m", labels) is meant


def test_another_metric_is_not_meant():
    assert not parse_selector("m").matches("m_total", {})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "character 1, expected a metric name"),
        ("{}", "character 1, expected a metric name"),
        ("5xx", "character 1, expected a metric name"),
        ("m{", "character 3, expected a label name or `}`"),
        ('m{a="b"', "character 8, expected `,` or `}`"),
        ('m{a="b" c="d"}', "character 9, expected `,` or `}`"),
        ('m{"a"="b"}', "character 3, expected a label name"),
        ("m{a==1}", "character 5, expected a quoted value"),
        ("m{a=b}", "character 5, expected a quoted value"),
        ('m{a>"b"}', "character 4, expected one of = != =~ !~"),
        ('m{a="b"} > 1', "character 10, expected its end"),
        ("rate(m[1m])", "character 5, expected its end"),
        ('m{a=~"("}', "character 6, expected a regular expression"),
        ('m{a="\\d"}', "an escape Prometheus has"),
        ("m{,}", "character 3, expected a label name"),
    ],
)
def test_what_is_no_selector(text, words):
    with pytest.raises(BadSelector) as caught:
        parse_selector(text)
    assert words in str(caught.value)


label_names = st.from_regex(r"[a-z_][a-z0-9_]{0,5}", fullmatch=True)


@given(st.dictionaries(label_names, st.text(max_size=8), max_size=4))
def test_any_label_values_can_be_quoted_and_found_again(labels):
    quoted = {k: v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for k, v in labels.items()}
    selector = parse_selector("m{" + ",".join(f'{k}="{v}"' for k, v in quoted.items()) + "}")
    assert selector.matches("m", labels)
    assert {m.label: m.value for m in selector.matchers} == labels


@given(st.text(alphabet="m{}=~!\"\\,a1.`' \n", max_size=15))
def test_any_text_is_a_selector_or_refused(text):
    with suppress(BadSelector):
        parse_selector(text)
