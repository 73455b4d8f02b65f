"""The contract with cel-expr-python: what must stay true when it is upgraded."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor

import pytest

from watchdog.errors import BadCondition
from watchdog.judge import conditions
from watchdog.judge.conditions import MAX_VALUES, compile_condition

INF = math.inf


@pytest.mark.parametrize(
    ("text", "value", "answer"),
    [
        # comparisons, with numbers written either way
        ("value > 1", 1.5, True),
        ("value > 1", 1.0, False),
        ("value > 1.0", 1.5, True),
        ("1 > value", 0.5, True),
        ("value >= 1", 1.0, True),
        ("value == 1", 1.0, True),
        ("value != 1", 1.0, False),
        ("value == 0", -0.0, True),
        ("value > .5", 0.6, True),
        ("value > 1e3", 1001.0, True),
        ("value > 1.5e-3", 0.001, False),
        ("value > -1", 0.0, True),
        ("value>-1", 0.0, True),
        ("value > 0x10", 17.0, True),
        ("value > 5u", 6.0, True),
        ("value > 99999999999999999999", 1e21, True),
        # arithmetic: every number is a double
        ("value * 100 > 5", 0.06, True),
        ("100 * value > 5", 0.04, False),
        ("value / 2 > 1", 3.0, True),
        ("value > 1/2", 0.4, False),
        ("value > 3/2", 1.4, False),
        ("value - 1 > 0", 1.5, True),
        ("-value < 1", 0.0, True),
        ("value / 0 > 1", 1.0, True),
        ("value + 1 == 3", 2.0, True),
        # logic
        ("value > 1 && value < 3", 2.0, True),
        ("value > 1 && value < 3", 3.0, False),
        ("value < 1 || value > 3", 2.0, False),
        ("!(value > 1)", 0.5, True),
        ("value > 1 ? true : false", 2.0, True),
        ("value in [1, 2]", 2.0, True),
        ("value in [1, 2]", 2.5, False),
        ("(value > 1)", 2.0, True),
        ("value > double('1')", 2.0, True),
        ("value > 1 // and why", 2.0, True),
        ("value > 1 &&\n  value < 3", 2.0, True),
        # infinities are numbers
        ("value > 1", INF, True),
        ("value > 1", -INF, False),
        ("value * 100 > 5", INF, True),
        # whole numbers from Python
        ("value > 1", 2, True),
        # found by mutation tests
        ("value > 5U", 6.0, True),
        ("value in [1]", 1.0, True),
        ("value in[1]", 2.0, False),
        ("value in [1/2, 3]", 0.5, True),
    ],
)
def test_a_condition_on_value(text: str, value: float, answer: bool):
    condition = compile_condition(text)
    assert condition.uses == "value"
    assert condition.holds(value) is answer


@pytest.mark.parametrize(
    ("text", "values", "answer"),
    [
        ("values.all(x, x > 1)", [2.0, 3.0], True),
        ("values.all(x, x > 1)", [1.0, 3.0], False),
        ("values.exists(x, x > 1)", [1.0, 3.0], True),
        ("values.exists_one(x, x > 1)", [2.0, 3.0], False),
        ("values.exists(x, x * 2 > 5)", [1.0, 3.0], True),
        ("values.size() > 2", [1.0, 2.0, 3.0], True),
        ("size(values) > 2", [1.0, 2.0], False),
        ("size(values) > 2.5", [1.0, 2.0, 3.0], True),
        ("values.size() * 2 > 5", [1.0, 2.0, 3.0], True),
        ("values.filter(x, x > 1).size() / values.size() > 0.5", [1.0, 2.0, 3.0], True),
        ("values.filter(x, x > 1).size() / values.size() > 0.5", [1.0, 1.0, 3.0], False),
        ("values[0] > 1", [2.0], True),
        ("values[ 1 ] * 100 > 5", [0.0, 1.0], True),
        ("values.map(x, x * 2)[0] > 3", [2.0], True),
        ("values.exists(x, x in [1, 2])", [5.0, 2.0], True),
        ("2 in values", [5.0, 2.0], True),
        ("values == [1, 2]", [1.0, 2.0], True),
        ("values.all(x, x > 1)", (2, 3), True),
        ("values.all(x, x > 1)", [INF], True),
        ("values.all(x, x > 1)", [2.0] * MAX_VALUES, True),
        # found by mutation tests
        ("size (values) > 2.5", [1.0, 2.0, 3.0], True),
        ("[1/2, 3] == values", [0.5, 3.0], True),
        ("values[49] > 1", [2.0] * 50, True),
    ],
)
def test_a_condition_on_values(text: str, values: list[float], answer: bool):
    condition = compile_condition(text)
    assert condition.uses == "values"
    assert condition.holds(values) is answer


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "neither value nor values"),
        ("true", "neither value nor values"),
        ("x > 1", "neither value nor values"),
        ("'value' == 'value'", "neither value nor values"),
        ("value > values[0]", "both value and values"),
        ("values.all(value, value > 1)", "call the item x, not value"),
        ("value", "gives a double, not yes or no"),
        ("value + 1", "gives a double, not yes or no"),
        ("values.filter(x, x > 1)", "gives a list<double>, not yes or no"),
        ("value >", "at 1:8: Syntax error"),
        ("value > 1.", "Syntax error"),
        ("value > limit", "at 1:9: undeclared reference to 'limit'"),
        ("value * 100 > 5 && value < limit", "at 1:28: undeclared reference to 'limit'"),
        ("value > 1 &&\n  value < limit", "at 2:11: undeclared reference to 'limit'"),
        ("value > 1 and value < 2", "CEL writes && for and"),
        ("not (value > 1)", "CEL writes ! for not"),
        ("value = 1", "CEL compares with =="),
        ("value > {{ limit }}", "a template that was not filled in"),
        ("value > '1'", "at 1:7: found no matching overload for '_>_' applied to '(double, string)'"),
        ("values > 1", "no matching overload"),
        ("values.size() > '1'", "no matching overload"),
        ("value % 2 == 0", "value and every written number are doubles"),
        ("values[values.size() - 1] > 1", "no matching overload"),
        ("value > double('much')", "cannot convert string to double"),
        ("values[99] > 1", "Index error"),
        ("value > 1" + "0" * 400, "larger than any number here can be"),
        ("value" + " + 1" * 40 + " > 1", "nested too deeply"),
        ("(" * 40 + "value" + ")" * 40 + " > 1", "nested too deeply"),
        ("value > 1" + " " * 5000, "5009 characters; the limit is 4000"),
    ],
)
def test_what_is_refused_when_it_is_read_and_the_words_for_it(text: str, says: str):
    with pytest.raises(BadCondition) as refused:
        compile_condition(text)
    assert says in str(refused.value)
    assert "size_as_double" not in str(refused.value)
    assert "\n" not in str(refused.value)


HINT = "write a comparison, such as value > 0.05 or values.all(x, x > 1)"
TEMPLATE = "a template that was not filled in"
DOUBLES = "value and every written number are doubles"
KNOWN = "known are value (each series' number) or values (all of them)"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("value >", f" at 1:8: Syntax error: mismatched input '<EOF>'; {HINT}"),
        ("value > limit", f" at 1:9: undeclared reference to 'limit' (in container ''); {KNOWN}"),
        (
            "values.all(x, size(x) > 1)",
            f" at 1:19: found no matching overload for 'size' applied to '(double)'; {DOUBLES}; {HINT}",
        ),
        ("value = 1", " at 1:7: Syntax error: token recognition error at: '= '; CEL compares with =="),
        ("value > {{ x", " at 1:13: Syntax error: mismatched input '<EOF>' expecting ':'; it looks like " + TEMPLATE),
        (
            "value > values[0]",
            " uses both value and values; use one of them (in values.all(x, …) call the item x, not value)",
        ),
        # what stands behind a dot is a name of CEL's, and no variable
        ("values.value > 1", " at 1:7: expression of type 'list(double)' cannot be the operand of a select operation"),
        (
            "values . value > 1",
            " at 1:8: expression of type 'list(double)' cannot be the operand of a select operation",
        ),
        # words of CEL's that we can add nothing to
        ("values.all(1, true)", " at 1:12: all() variable name must be a simple identifier"),
    ],
)
def test_the_whole_sentence_with_what_to_write_instead(text: str, says: str):
    with pytest.raises(BadCondition) as refused:
        compile_condition(text)
    assert str(refused.value) == f"{text!r}{says}"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("value > 1 &&\n\n\n  value < x\n && value > 0", "4:11"),
        ("\nvalue < x\n\n", "2:9"),
        ("x\n > value", "1:1"),
    ],
)
def test_a_position_is_one_in_the_lines_that_were_written(text: str, place: str):
    with pytest.raises(BadCondition, match=f" at {place}: undeclared reference to 'x'"):
        compile_condition(text)


def test_a_name_behind_a_dot_and_a_comment_is_no_variable():
    with pytest.raises(BadCondition, match="cannot be the operand of a select operation"):
        compile_condition("values. // of what\n value > 1")


def test_it_is_tried_with_fifty_values():
    with pytest.raises(BadCondition, match="index=50 size=50"):
        compile_condition("values[50] > 1")


def test_a_long_condition_is_quoted_by_its_beginning():
    at_most, longer = "x" * 200, "x" * 201
    for text, quoted in ((at_most, f"'{at_most}' uses"), (longer, f"'{at_most}…' uses")):
        with pytest.raises(BadCondition) as refused:
            compile_condition(text)
        assert str(refused.value).startswith(quoted)


def test_an_error_without_a_position_is_told_in_cels_own_words(monkeypatch: pytest.MonkeyPatch):
    class Broken:
        def compile(self, source: str) -> None:
            raise RuntimeError("INTERNAL: it broke.\n | value > 8\n | ...... [INTERNAL]")

    monkeypatch.setattr(conditions, "_environment", lambda uses: Broken())
    with pytest.raises(BadCondition) as refused:
        compile_condition("value > 8")
    assert str(refused.value) == "'value > 8': it broke"


@pytest.mark.parametrize(
    ("text", "given", "says"),
    [
        ("value > 1", math.nan, "NaN, which compares false with everything"),
        ("!(value > 1)", math.nan, "NaN"),
        ("values.all(x, x > 1)", [1.0, math.nan], "NaN"),
        ("values.all(x, x > 1)", [2.0] * (MAX_VALUES + 1), "10000 values; the limit is 9999"),
        ("values.all(x, values.all(y, x == y))", [2.0] * 200, "budget exceeded"),
        ("values[3] > 1", [2.0], "Index error"),
        ("value > 1", [2.0], "was given a list"),
        ("values.size() > 1", 2.0, "was given one"),
    ],
)
def test_what_has_no_answer_is_an_error_and_never_a_yes(text: str, given: float | list[float], says: str):
    condition = compile_condition(text)
    with pytest.raises(BadCondition) as refused:
        condition.holds(given)
    assert says in str(refused.value)


def test_a_division_by_zero_that_cel_can_leave_out_is_left_out():
    assert compile_condition("value > 1 || value / 0 > 5").holds(2.0)


def test_compiling_twice_is_compiling_once():
    assert compile_condition("value > 7") is compile_condition("value > 7")


def test_one_condition_may_be_asked_from_many_threads():
    condition = compile_condition("value * 100 > 50")
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(condition.holds, [n / 1000 for n in range(1000)]))
    assert answers == [n / 1000 * 100 > 50 for n in range(1000)]
