"""Small pictures for Prefect's pages: SVG as text, in an image that no script inside can leave.

Each is a row for a name, on one scale; a name is escaped and cut, whoever wrote it.
"""

import base64
from collections.abc import Callable, Sequence
from html import escape
from typing import NamedTuple

_LEFT, _WIDTH, _ROW = 190, 640, 26
_RIGHT = _WIDTH - 78
_INK, _PALE, _STRONG = "#374151", "#a9bad1", "#1d4ed8"
_LONGEST_NAME = 22


class Row(NamedTuple):
    """A name, where its marks lie, and what is written behind them."""

    name: str
    low: float
    middle: float
    high: float
    said: str
    dots: tuple[float, ...] = ()


def image(alternative: str, drawn: str) -> str:
    """Return a picture as Markdown has it: an image with its data inside."""
    data = base64.b64encode(drawn.encode()).decode()
    return f"![{alternative}](data:image/svg+xml;base64,{data})"


def ranges(rows: Sequence[Row], lines: Sequence[tuple[float, str]] = ()) -> str:
    """Draw a line from low to high with a mark in the middle for each row, and upright lines with words."""
    at, bottom = _scale(rows, [value for value, _ in lines]), 14 + _ROW * len(rows)
    sides = ("end", "start") if len(lines) == 2 else ("middle",) * len(lines)
    drawn = [
        _upright(at(value), bottom, words, side)
        for (value, words), side in zip(sorted(lines), sides, strict=True)
    ]
    for number, row in enumerate(rows):
        y = 20 + _ROW * number
        drawn += [
            *_words(row, y),
            f'<path d="M{at(row.low):.1f} {y}H{at(row.high):.1f}" stroke="{_STRONG}" stroke-width="2"/>',
            *(_dot(at(dot), y, 2.5, _PALE) for dot in row.dots),
            _dot(at(row.middle), y, 4.5, _STRONG),
        ]
    return _whole(drawn, bottom + (24 if lines else 8))


def bars(rows: Sequence[Row]) -> str:
    """Draw a bar from zero to the middle for each row, with a thin line from low to high."""
    at = _scale(rows, [0.0])
    drawn = []
    for number, row in enumerate(rows):
        y, (left, right) = 20 + _ROW * number, sorted((at(0.0), at(row.middle)))
        drawn += [
            *_words(row, y),
            f'<rect x="{left:.1f}" y="{y - 6}" width="{right - left:.1f}" height="12" fill="{_PALE}"/>',
            f'<path d="M{at(row.low):.1f} {y}H{at(row.high):.1f}" stroke="{_STRONG}"/>',
        ]
    return _whole(drawn, 22 + _ROW * len(rows))


def heap(values: Sequence[float], observed: float, words: str, n_bins: int = 30) -> str:
    """Draw how often values fall where, and the observed one beside them."""
    low, high = min(*values, observed), max(*values, observed)
    width = (high - low) / n_bins or 1.0
    counts = [0] * n_bins
    for value in values:
        counts[min(n_bins - 1, int((value - low) / width))] += 1
    step, tallest = (_WIDTH - 60) / n_bins, max(counts)
    drawn = [
        f'<rect x="{30 + step * i:.1f}" y="{84 - 64 * n / tallest:.1f}" width="{step - 1:.1f}" '
        f'height="{64 * n / tallest:.1f}" fill="{_PALE}"/>'
        for i, n in enumerate(counts)
    ]
    x = 30 + (_WIDTH - 60) * (observed - low) / ((high - low) or 1.0)
    side = "end" if x > _WIDTH - 100 else "start" if x < 100 else "middle"
    return _whole([*drawn, _upright(x, 84, words, side)], 110)


def _scale(rows: Sequence[Row], more: Sequence[float]) -> Callable[[float], float]:
    ends = [
        *more,
        *(value for row in rows for value in (row.low, row.high, *row.dots)),
    ]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0
    return lambda value: _LEFT + (_RIGHT - _LEFT) * (value - low) / span


def _words(row: Row, y: float) -> list[str]:
    name = row.name
    if len(name) > _LONGEST_NAME:
        name = name[: _LONGEST_NAME - 1] + "…"
    return [
        f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(name)}</text>',
        f'<text x="{_WIDTH - 8}" y="{y + 4}" text-anchor="end">{escape(row.said)}</text>',
    ]


def _dot(x: float, y: float, radius: float, colour: str) -> str:
    return f'<circle cx="{x:.1f}" cy="{y}" r="{radius}" fill="{colour}"/>'


def _upright(x: float, bottom: float, words: str, side: str) -> str:
    beside = {"end": -3, "start": 3}.get(side, 0)
    return (
        f'<path d="M{x:.1f} 6V{bottom}" stroke="{_INK}" stroke-dasharray="4 3"/>'
        f'<text x="{x + beside:.1f}" y="{bottom + 15}" text-anchor="{side}">{escape(words)}</text>'
    )


def _whole(drawn: Sequence[str], height: float) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height:.0f}" '
        f'viewBox="0 0 {_WIDTH} {height:.0f}" font-family="sans-serif" font-size="12" fill="{_INK}">'
        f'<rect width="100%" height="100%" rx="6" fill="#ffffff"/>{"".join(drawn)}</svg>'
    )
