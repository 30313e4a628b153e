"""The benchmarks by name."""

from mercat.bench.browse import browse
from mercat.bench.checkout import checkout
from mercat.bench.flash import flash
from mercat.bench.importing import importing
from mercat.bench.report import Report

_BENCHMARKS = {"browse": browse, "checkout": checkout, "flash": flash, "import": importing}
NAMES = tuple(_BENCHMARKS)


async def run(name: str, seconds: float, people: int = 0) -> Report:
    """`people`: how many stand in line in `flash` (0: as many as fit the time)."""
    if name == "flash":
        return await flash(seconds, people)
    return await _BENCHMARKS[name](seconds)
