"""Benchmarks: what the shop does, beside a floor that the same machine reaches in the same run.

Each starts a shop of its own in a temporary folder, measures it and audits it: with a broken law there is no
result.
"""

from mercat.bench.faults import NAMES as FAULTS
from mercat.bench.report import Report
from mercat.bench.run import NAMES, options_of, run

__all__ = ["FAULTS", "NAMES", "Report", "options_of", "run"]
