"""Templates: filled in, never run; an unknown name is an error."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchdog.errors import BadTemplate
from watchdog.model.rule import HttpMeasure, PrometheusMeasure, Ratio, ScrapeMeasure
from watchdog.template import names, names_in, render, render_all


def test_names_are_filled_in() -> None:
    assert render('up{job="{{ job }}"}', {"job": "api"}) == 'up{job="api"}'


def test_text_without_a_template_is_left_as_it_is() -> None:
    assert render("rate(x[1m]) > 1\n", {}) == "rate(x[1m]) > 1\n"
    assert render('sum by (le) (rate(x{a=~"b{2}"}[1m]))', {}) == 'sum by (le) (rate(x{a=~"b{2}"}[1m]))'


def test_an_unknown_name_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(BadTemplate, match=r"'jb' is undefined in .*; known here: job, release"):
        render("{{ jb }}", {"release": "r1", "job": "api"})


@pytest.mark.parametrize("text", ["{{ job", "{% if %}", "{{ }}", "{% endfor %}"])
def test_what_is_not_valid_jinja_is_an_error(text: str) -> None:
    with pytest.raises(BadTemplate, match="not a valid template"):
        names(text)
    with pytest.raises(BadTemplate, match="not a valid template"):
        render(text, {"job": "x"})


@pytest.mark.parametrize("text", ["{{ ''.__class__.__mro__ }}", "{{ job.__init__.__globals__ }}"])
def test_python_is_out_of_reach(text: str) -> None:
    with pytest.raises(BadTemplate):
        render(text, {"job": "x"})


def test_values_are_not_templates_themselves() -> None:
    assert render("{{ job }}", {"job": "{{ release }}"}) == "{{ release }}"


def test_names_are_found_at_any_depth() -> None:
    scrape = ScrapeMeasure(url="http://{{ host }}/metrics", ratio=Ratio(events="{{ bad }}", total="all"))
    assert names_in(scrape) == {"host", "bad"}
    assert names("{{ a }} {% if b %}{{ c }}{% endif %}") == {"a", "b", "c"}


def test_all_strings_of_a_value_are_filled_in_and_the_value_keeps_its_kind() -> None:
    probe = HttpMeasure(url="http://x/{{ v }}", status=(200, 204), headers={"X-Release": "{{ v }}"})
    assert render_all(probe, {"v": "2"}) == HttpMeasure(url="http://x/2", status=(200, 204), headers={"X-Release": "2"})
    assert render_all(PrometheusMeasure(query="up"), {}) == PrometheusMeasure(query="up")


@given(st.text())
def test_arbitrary_text_is_filled_in_or_refused(text: str) -> None:
    try:
        render(text, {"job": "api"})
    except BadTemplate:
        return


@given(st.text(alphabet="{}% abjo.|()[]'0-", max_size=40))
def test_arbitrary_template_signs_are_filled_in_or_refused(text: str) -> None:
    try:
        render(text, {"job": "api"})
    except BadTemplate:
        return
