"""Benchmarks: what the shop does, beside a floor that the same machine reaches in the same run.

Each starts a shop of its own in a temporary folder, measures it and audits it: with a broken law there is no
result.
"""

from mercat.lab.bench.faults import NAMES as FAULTS
from mercat.lab.bench.report import Report
from mercat.lab.bench.run import NAMES, options_of, run

__all__ = ["FAULTS", "NAMES", "Report", "options_of", "run"]
