"""Reviews: what buyers say of products, and what it comes to in stars.

A buyer has one review a product, marked verified once it was delivered to them. Others import from here only.
"""

from mercat.reviews.api import API
from mercat.reviews.messages import (
    AlreadyReviewed,
    ModeratedPage,
    ModeratedReview,
    NewReview,
    NotABuyer,
    OldReview,
    OwnReview,
    Rating,
    Reply,
    ReportWhy,
    Review,
    ReviewChange,
    ReviewPage,
    ReviewReport,
    ReviewStatus,
    Sort,
    Start,
    Votes,
)
from mercat.reviews.service import Reviews

__all__ = [
    "API",
    "AlreadyReviewed",
    "ModeratedPage",
    "ModeratedReview",
    "NewReview",
    "NotABuyer",
    "OldReview",
    "OwnReview",
    "Rating",
    "Reply",
    "ReportWhy",
    "Review",
    "ReviewChange",
    "ReviewPage",
    "ReviewReport",
    "ReviewStatus",
    "Reviews",
    "Sort",
    "Start",
    "Votes",
]
