"""The crash simulator: `await simulate(seed, seeds, plant)`; see docs/simulate.md."""

from mercat.lab.simulate.mutations import MUTATIONS
from mercat.lab.simulate.sweep import simulate, sweep, without_constraints

__all__ = ["MUTATIONS", "simulate", "sweep", "without_constraints"]
