"""The crash simulator: `await simulate(seed, seeds, plant)`; see docs/simulate.md."""

from mercat.simulate.plants import PLANTS
from mercat.simulate.run import simulate, sweep, without_constraints

__all__ = ["PLANTS", "simulate", "sweep", "without_constraints"]
