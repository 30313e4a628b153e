"""Inventory: how many of an offer stand where, and for whom they are held.

Only the database says yes: stock is read and written in sets, and never cached where it decides. Asking
twice for a checkout gives the answer it got first; `release` before a late `reserve` makes that one refused.
"""

from mercat.inventory.api import API
from mercat.inventory.messages import (
    Hold,
    Line,
    LowMark,
    OutOfStock,
    ShelfCount,
    ShelfCounts,
    ShelfSort,
    Short,
    Stock,
    StockCount,
    StockQuantity,
    Uncounted,
)
from mercat.inventory.service import Inventory

__all__ = [
    "API",
    "Hold",
    "Inventory",
    "Line",
    "LowMark",
    "OutOfStock",
    "ShelfCount",
    "ShelfCounts",
    "ShelfSort",
    "Short",
    "Stock",
    "StockCount",
    "StockQuantity",
    "Uncounted",
]
