"""The benchmarks by name."""

from collections.abc import Sequence

from mercat.bench.browse import browse
from mercat.bench.checkout import checkout
from mercat.bench.faults import faults
from mercat.bench.flash import flash
from mercat.bench.importing import importing
from mercat.bench.report import Report
from mercat.bench.search import search

_BENCHMARKS = {
    "browse": browse,
    "checkout": checkout,
    "faults": faults,
    "flash": flash,
    "import": importing,
    "search": search,
}
NAMES = tuple(_BENCHMARKS)


async def run(
    name: str,
    seconds: float,
    people: int | None = None,
    products: int | None = None,
    rate: float | None = None,
    fault: Sequence[str] = (),
) -> Report:
    """`people`: how many stand in line in `flash`; `products`: how many there are in `search`; `rate`:
    orders a second in `faults`, and `fault`: of these alone."""
    if name == "flash" and people is not None:
        return await flash(seconds, people)
    if name == "search" and products is not None:
        return await search(seconds, products)
    if name == "faults":
        return await faults(seconds, rate or 1_000, fault)
    return await _BENCHMARKS[name](seconds)
