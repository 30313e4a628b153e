"""Recommendations: shelves learnt from what was bought together and from what is alike.

Answers are product ids, the best first: none twice, none sold out as far as it was told, and never the
product asked about. Others import from here only.
"""

from mercat.recommendations.api import API
from mercat.recommendations.messages import SHELF_MAX
from mercat.recommendations.rules import words
from mercat.recommendations.service import Recommendations

__all__ = ["API", "SHELF_MAX", "Recommendations", "words"]
