"""The benchmarks by name."""

from mercat.bench.browse import browse
from mercat.bench.checkout import checkout
from mercat.bench.importing import importing
from mercat.bench.report import Report

_BENCHMARKS = {"browse": browse, "checkout": checkout, "import": importing}
NAMES = tuple(_BENCHMARKS)


async def run(name: str, seconds: float) -> Report:
    return await _BENCHMARKS[name](seconds)
