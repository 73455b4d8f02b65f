"""One plot as SVG: false rollbacks against the time to detect, one mark for each way and rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

Point = tuple[float, float, float]
"""False rollbacks in percent, median seconds, share found."""
COLOURS = ("#0b6e4f", "#8a5a00", "#b03a2e", "#5b2c6f", "#1f4e79", "#7f7f7f")
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 760, 420, 64, 44, 250, 52
_LEAST, _MOST = 0.05, 100.0
_SLOWEST = 480.0
_OPENING = (
    f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" '
    'font-size="12" role="img">'
)


def plot(title: str, series: Mapping[str, Sequence[Point]]) -> str:
    """Better is to the lower left. A mark's size is the share found; 0 % false is drawn at 0.05 %."""
    out = [
        _OPENING,
        f"<title>{escape(title)}</title>",
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>',
        f'<text x="{_LEFT}" y="24" font-size="15">{escape(title)}</text>',
        *_axes(),
    ]
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        out += [_mark(point, colour) for point in points]
        y = _TOP + 20 + 22 * number
        out.append(f'<circle cx="{_WIDTH - _RIGHT + 24}" cy="{y - 4}" r="6" fill="{colour}" fill-opacity=".75"/>')
        out.append(f'<text x="{_WIDTH - _RIGHT + 38}" y="{y}">{escape(name)}</text>')
    return "\n".join([*out, "</svg>", ""])


def _axes() -> list[str]:
    out = []
    bottom, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    for percent in (0.05, 0.1, 0.5, 1, 5, 10, 50, 100):
        x = _x(percent)
        shown = "0" if percent == _LEAST else f"{percent:g}"
        out.append(f'<line x1="{x:.1f}" y1="{_TOP}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>')
        out.append(f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">{shown}</text>')
    for seconds in range(0, int(_SLOWEST) + 1, 60):
        y = _y(seconds)
        out.append(f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{right}" y2="{y:.1f}" stroke="#eee"/>')
        out.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{seconds}</text>')
    budget = _x(1)
    out.append(
        f'<line x1="{budget:.1f}" y1="{_TOP}" x2="{budget:.1f}" y2="{bottom}" stroke="#999" stroke-dasharray="4 3"/>'
    )
    middle = (_LEFT + right) / 2
    out.append(
        f'<text x="{middle:.0f}" y="{_HEIGHT - 12}" text-anchor="middle">false rollbacks, % (dashed: budget)</text>'
    )
    out.append(
        f'<text transform="translate(16 {(_TOP + bottom) / 2:.0f}) rotate(-90)" text-anchor="middle">'
        "median s to detect</text>"
    )
    return out


def _mark(point: Point, colour: str) -> str:
    false, seconds, found = point
    label = f"{false:.2g} % false, {seconds:.0f} s, {100 * found:.0f} % found"
    return (
        f'<circle cx="{_x(false):.1f}" cy="{_y(seconds):.1f}" r="{2 + 6 * found:.1f}" fill="{colour}" '
        f'fill-opacity=".75"><title>{label}</title></circle>'
    )


def _x(percent: float) -> float:
    part = log10(max(percent, _LEAST) / _LEAST) / log10(_MOST / _LEAST)
    return _LEFT + part * (_WIDTH - _LEFT - _RIGHT)


def _y(seconds: float) -> float:
    return _HEIGHT - _BOTTOM - min(seconds, _SLOWEST) / _SLOWEST * (_HEIGHT - _TOP - _BOTTOM)
