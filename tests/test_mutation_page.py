"""How docs/mutation.md says what was found."""

from __future__ import annotations

import pytest

from scripts.mutation_page import Module, difference, function_of, table


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (["if a < b:"], ["if a <= b:"], "if a {-<-}{+<=+} b:"),
        (["if a and b:"], ["if a or b:"], "if a {-and-}{+or+} b:"),
        (["x = f(a, b)"], ["x = f(a, )"], "x = f(a, {-b-})"),
        (['say("no data")'], ['say("XXno dataXX")'], 'say("{+XX+}no data{+XX+}")'),
        (['say("no data at all")'], ['say("NO DATA AT ALL")'], 'say("{-no data at all-}{+NO DATA AT ALL+}")'),
        (["f(", "    a,", "    b,", ")"], ["f(", "    a,", ")"], "{-b,-}"),
        (["x = 1", "y = 2"], ["x = 1", "y = None"], "y = {-2-}{+None+}"),
    ],
)
def test_a_change_is_one_line_with_what_was_taken_and_put(before: list[str], after: list[str], shown: str):
    assert difference(before, after) == shown


@pytest.mark.parametrize(
    ("mutant", "function"),
    [
        ("watchdog.act.guard.x_objections__mutmut_3", "objections"),
        ("watchdog.act.guard.x__budget__mutmut_12", "_budget"),
        ("watchdog.store.sql.xǁSqlStoreǁsave__mutmut_1", "SqlStore.save"),
    ],
)
def test_a_mutant_is_named_by_its_function(mutant: str, function: str):
    assert function_of(mutant) == function


def test_the_score_is_of_what_was_tested():
    module = Module("watchdog/act/guard.py", {"a": 1, "b": 0, "c": -24, "d": 33, "e": None, "f": 3, "g": 2})
    assert module.row == "| `watchdog/act/guard.py` | 7 | 2 | 1 | 1 | 1 | 2 | 60.0 % |"
    untested = Module("watchdog/judge/window.py", {"a": None})
    assert untested.row == "| `watchdog/judge/window.py` | 1 | 0 | 0 | 0 | 0 | 1 | – |"
    assert table([module, untested])[-2] == "| all | 8 | 2 | 1 | 1 | 1 | 3 | 60.0 % |"
