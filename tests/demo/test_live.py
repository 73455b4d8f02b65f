"""The live view: fits a terminal, says in words what it shows in colours, and tells everything once elsewhere."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from rich.console import Console

from watchdog.demo.config import RULES
from watchdog.demo.live import InPlace, PlainLines, Silence, drawing, sparkline, view_for
from watchdog.demo.picture import Line, Phase, Picture, Row
from watchdog.demo.traffic import Felt

LATENCY, PROBE = RULES[0], RULES[-1]

WATCHING = Picture(
    fault="latency",
    platform="command",
    seconds=9.2,
    doing="watching it: the rules are measured every second",
    phases=(Phase("seen", 0.6), Phase("watching", 1.7), Phase("tripped"), Phase("recovered")),
    rows=(
        Row(LATENCY, (None, 0.02, 0.48), "fail", "0.48: value > 0.25", measured=3),
        *(Row(shown) for shown in RULES[1:]),
    ),
    lines=(Line(0.6, "deploy.seen", "shop v2 arrived after v1: [red]not markup[/red] " + "x" * 200),),
    felt=Felt(10, 0.25),
)


def drawn(picture: Picture, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, highlight=False)
    console.print(drawing(picture))
    text = console.file
    assert isinstance(text, io.StringIO)
    return text.getvalue()


@pytest.mark.parametrize("width", [80, 120])
def test_it_fits_a_terminal(width: int):
    lines = drawn(WATCHING, width).splitlines()
    assert len(lines) <= 22
    assert max(map(len, lines)) <= width


def test_it_says_how_far_it_is():
    text = drawn(WATCHING, 80)
    assert "✓ seen" in text
    assert "● watching" in text
    assert "· recovered" in text
    assert "+1.7s" in text


def test_it_shows_value_limit_and_verdict():
    line = next(line for line in drawn(WATCHING, 80).splitlines() if line.startswith("latency-p95"))
    assert line.split() == ["latency-p95", "0.48", ">", "0.25", "s", "▁█", "fail"]


def test_text_from_outside_is_no_markup():
    assert "[red]not markup[/red]" in drawn(WATCHING, 120)


def test_a_sparkline_is_red_beyond_the_limit():
    line = sparkline(Row(LATENCY, (0.0, 0.1, 0.25, 0.5)))
    assert line.plain == "▁▂▅█"
    assert [str(span.style) for span in line.spans] == ["green", "green", "green", "red"]


def test_a_failed_probe_is_a_low_bar():
    assert sparkline(Row(PROBE, (1.0, 0.0, None))).plain == "█▁ "


def test_elsewhere_each_thing_is_told_once_and_plainly():
    out = io.StringIO()
    with PlainLines(Console(file=out, width=80)) as view:
        view.show(WATCHING)
        view.show(WATCHING)
        view.show(replace(WATCHING, lines=(*WATCHING.lines, Line(7, "rule.tripped", "latency-p95 tripped"))))
    lines = out.getvalue().splitlines()
    assert [line[:30] for line in lines] == [
        "  9.2s  watching it: the rules",
        "  9.2s  shop v2 arrived after ",
        "  9.2s  latency-p95: fail: 0.4",
        "  9.2s  latency-p95 tripped",
    ]
    assert "\x1b" not in out.getvalue()


def test_the_view_follows_the_output():
    assert isinstance(view_for(Console(file=io.StringIO()), quiet=False), PlainLines)
    assert isinstance(view_for(Console(file=io.StringIO(), force_terminal=True, _environ={}), quiet=False), InPlace)
    assert isinstance(view_for(Console(force_terminal=True), quiet=True), Silence)
