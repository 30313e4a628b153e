"""Plots that the server draws: points in a field with axes and numbers, and the same as rows of a table."""

from collections.abc import Callable, Sequence
from math import ceil, floor, log10
from typing import Literal, NamedTuple

WIDTH, HEIGHT = 360, 190
_LEFT, _RIGHT, _TOP, _BOTTOM = 50, 8, 10, 24
_TICKS = 4
"""At most."""
_NEAR = 1e-6
"""What a sum of fractions may be beyond a mark."""
_LABELS_MAX = 6
Words = Callable[[float], str]


class Tick(NamedTuple):
    """A mark of an axis."""

    at: float
    words: str
    anchor: str = "middle"


class Bar(NamedTuple):
    x: float
    y: float
    width: float
    height: float


class ChartRow(NamedTuple):
    """A point as the table shows it."""

    label: str
    value: str
    before: str


class Chart(NamedTuple):
    """A plot. `line` and `before` are points of this period and of the one it is compared with; `bars` take
    the place of the line where things are counted."""

    name: str
    title: str
    total: str
    line: str
    before: str
    bars: list[Bar]
    rises: list[Tick]
    steps: list[Tick]
    rows: list[ChartRow]
    compared: bool


def chart(
    name: str,
    title: str,
    total: str,
    labels: Sequence[str],
    values: Sequence[float],
    before: Sequence[float] = (),
    *,
    words: Words,
    of: Literal["rates", "money", "counts"] = "rates",
) -> Chart:
    """Draw values by their labels, and under them those of the period before, step by step. Counts are bars;
    they and money are in units that nothing is between."""
    bars = of == "counts"
    highest = max([*values, *before, 0])
    step = max(_nice(highest / _TICKS), 0 if of == "rates" else 1)
    ticks = max(ceil(highest / step - _NEAR), 1)
    top = step * ticks
    across = _Across(max(len(values), 1))
    rises = [Tick(_height(step * n, top), words(step * n)) for n in range(ticks + 1)]
    earlier = list(before)[: len(values)]
    return Chart(
        name,
        title,
        total,
        "" if bars else across.line(values, top),
        across.line(earlier, top) if earlier else "",
        across.bars(values, top) if bars else [],
        rises,
        across.steps(labels),
        [
            ChartRow(label, words(value), words(earlier[n]) if n < len(earlier) else "")
            for n, (label, value) in enumerate(zip(labels, values, strict=True))
        ],
        bool(earlier),
    )


class _Across:
    """Where the steps of a plot are from left to right."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._wide = (WIDTH - _LEFT - _RIGHT) / count

    def middle(self, n: int) -> float:
        return round(_LEFT + self._wide * (n + 0.5), 1)

    def line(self, values: Sequence[float], top: float) -> str:
        return " ".join(f"{self.middle(n)},{_height(value, top)}" for n, value in enumerate(values))

    def bars(self, values: Sequence[float], top: float) -> list[Bar]:
        width = round(max(1.0, self._wide * 0.7), 1)
        return [
            Bar(round(self.middle(n) - width / 2, 1), y, width, round(_height(0, top) - y, 1))
            for n, value in enumerate(values)
            if (y := _height(value, top)) < _height(0, top)
        ]

    def steps(self, labels: Sequence[str]) -> list[Tick]:
        every = -(-len(labels) // _LABELS_MAX) or 1
        return [
            Tick(self.middle(n), label, "end" if n == len(labels) - 1 and n else "middle")
            for n, label in enumerate(labels)
            if n % every == 0
        ]


def _height(value: float, top: float) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * max(0.0, value) / (top or 1), 1)


def _nice(least: float) -> float:
    """Round a step up to 1, 2 or 5 times a power of ten."""
    if least <= 0:
        return 1
    power = 10 ** floor(log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - _NEAR))
