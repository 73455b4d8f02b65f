from __future__ import annotations

from bench.report import Baseline, Result, Skipped, number, table


def result(*values: float, aim: float | None = None, baseline: Baseline | None = None) -> Result:
    return Result("memory", "MB", values, aim=aim, baseline=baseline)


def test_an_aim_is_met_below_it_by_the_median():
    assert not result(90, 99, 300, aim=100).missed
    assert result(90, 100, 110, aim=100).missed
    assert not result(1000).missed


def test_the_ratio_compares_medians_and_needs_a_baseline():
    assert result(20, 30, 40, baseline=Baseline("asleep", 10)).ratio == 3
    assert result(20).ratio is None
    assert result(20, baseline=Baseline("asleep", 0)).ratio is None


def test_numbers_have_three_digits_at_most():
    assert [number(n) for n in (1234.5, 12.34, 1.234, 0.1234)] == ["1234", "12.3", "1.23", "0.123"]


def test_the_table_says_the_machine_the_numbers_the_aims_and_what_is_missing():
    rows = [
        result(3, 1, 2, aim=2.5, baseline=Baseline("asleep", 1)),
        result(3, aim=2),
        Skipped("rollback", "dockerd"),
    ]

    lines = table({"kernel": "Linux 6.1", "Python": "3.11"}, rows).splitlines()

    assert lines[:3] == ["- kernel: Linux 6.1", "- Python: 3.11", ""]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[3:]]
    assert cells[0][:3] == ["measurement", "unit", "median"]
    assert cells[2] == ["memory", "MB", "2.00", "1.00", "3.00", "3", "< 2.5: met", "2.00 x", "asleep: 1.00"]
    assert cells[3][6] == "< 2: MISSED"
    assert cells[4][:3] == ["rollback", "", "skipped: dockerd"]
    assert len({len(line) for line in lines[3:]}) == 1
