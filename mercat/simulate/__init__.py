"""The crash simulator: `await simulate(seed, seeds, plant)`; see docs/simulate.md."""

from mercat.simulate.plants import PLANTS
from mercat.simulate.run import simulate

__all__ = ["PLANTS", "simulate"]
