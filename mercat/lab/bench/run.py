"""The benchmarks by name."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from mercat.lab.bench.apart import apart
from mercat.lab.bench.browse import browse
from mercat.lab.bench.checkout import checkout
from mercat.lab.bench.faults import faults
from mercat.lab.bench.flash import flash
from mercat.lab.bench.importing import importing
from mercat.lab.bench.overload import overload
from mercat.lab.bench.report import Report
from mercat.lab.bench.restarts import restarts
from mercat.lab.bench.search import search

_BENCHMARKS: dict[str, Callable[..., Awaitable[Report]]] = {
    "apart": apart,
    "browse": browse,
    "checkout": checkout,
    "faults": faults,
    "flash": flash,
    "import": importing,
    "overload": overload,
    "restarts": restarts,
    "search": search,
}
NAMES = tuple(_BENCHMARKS)


def options_of(name: str) -> set[str]:
    """Name what a benchmark can be told beyond its time."""
    return set(inspect.signature(_BENCHMARKS[name]).parameters) - {"seconds"}


async def run(name: str, seconds: float, **options: Any) -> Report:
    return await _BENCHMARKS[name](seconds, **options)
