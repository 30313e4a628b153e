"""The benchmarks by name."""

from mercat.bench.browse import browse
from mercat.bench.checkout import checkout
from mercat.bench.importing import importing
from mercat.bench.report import Report
from mercat.bench.search import search

_BENCHMARKS = {"browse": browse, "checkout": checkout, "import": importing, "search": search}
NAMES = tuple(_BENCHMARKS)


async def run(name: str, seconds: float, products: int | None = None) -> Report:
    if products is not None:
        return await search(seconds, products)
    return await _BENCHMARKS[name](seconds)
