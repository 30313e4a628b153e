"""Moving buckets of orders from one database to another while the shop sells.

What is decided is in the databases: `orders.here` says who has a bucket, `orders.moving` how far its move has
come. So a move that was cut off anywhere is gone on with, or undone, by whoever comes next.
"""

from mercat.resharding.database import CannotMove, Database, Move, buckets_of, opened
from mercat.resharding.mover import CLEARED_AFTER_S, BucketMover, Progress

__all__ = [
    "CLEARED_AFTER_S",
    "BucketMover",
    "CannotMove",
    "Database",
    "Move",
    "Progress",
    "buckets_of",
    "opened",
]
