"""The crash simulator: `await simulate(seed, seeds, plant)`; see docs/simulate.md."""

from mercat.lab.simulate.mutations import PLANTS
from mercat.lab.simulate.run import simulate, sweep, without_constraints

__all__ = ["PLANTS", "simulate", "sweep", "without_constraints"]
