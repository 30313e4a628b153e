"""Requests to reviews and their answers."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from mercat.ids import ProductId, ReviewId, UserId
from mercat.kit.refusals import Conflict, Forbidden
from mercat.kit.text import LINE, SEEN_PROSE

Stars = Annotated[int, Meta(ge=1, le=5, extra={"words": "Choose how many stars."})]
Title = Annotated[str, Meta(max_length=200, pattern=LINE)]
Body = Annotated[str, Meta(max_length=5_000, pattern=SEEN_PROSE, extra={"words": "Write what it is like."})]
Histogram = Annotated[list[Annotated[int, Meta(ge=0, le=10**12)]], Meta(min_length=5, max_length=5)]
"""How many gave one, two, three, four and five stars."""
Sort = Literal["newest", "helpful", "stars"]


class NewReview(Struct, frozen=True):
    stars: Stars
    body: Body
    title: Title = ""


class Review(Struct, frozen=True):
    review_id: ReviewId
    product_id: ProductId
    author: str
    stars: int
    title: str
    body: str
    verified: bool
    """An order with it was delivered to the author."""
    helpful: int
    unhelpful: int
    written_at: datetime


class ReviewPage(Struct, frozen=True):
    reviews: list[Review]
    total: int
    """Reviews written here; a product's review count also has those it came with."""
    next: ReviewId | None = None
    """What to ask for as `after`."""


class Rating(Struct, frozen=True):
    rating: float = 0
    """The mean, not rounded."""
    review_count: int = 0
    histogram: list[int] = field(default_factory=lambda: [0] * 5)
    version: int = 0


class Votes(Struct, frozen=True):
    helpful: int
    unhelpful: int


class Start(Struct, frozen=True):
    """The stars a product came with."""

    product_id: ProductId
    histogram: Histogram


class OldReview(Struct, frozen=True):
    """A review that was written elsewhere, and who found it helpful there."""

    product_id: ProductId
    user_id: UserId
    author: str
    stars: Stars
    body: Body
    written_at: datetime
    title: Title = ""
    verified: bool = True
    helpful: list[UserId] = []
    unhelpful: list[UserId] = []


class AlreadyReviewed(Conflict):
    """You have already reviewed this product."""


class NotABuyer(Forbidden):
    """Only people who bought this product here can review it."""


class OwnReview(Forbidden):
    """You cannot vote on your own review."""
