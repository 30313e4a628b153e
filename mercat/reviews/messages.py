"""Requests to reviews and their answers."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

from mercat.ids import ProductId, ReviewId, UserId
from mercat.kit.refusals import Conflict, Forbidden
from mercat.kit.text import LINE, PROSE, SEEN_PROSE

Stars = Annotated[int, Meta(ge=1, le=5, extra={"words": "Choose how many stars."})]
Title = Annotated[str, Meta(max_length=200, pattern=LINE)]
Body = Annotated[str, Meta(max_length=5_000, pattern=SEEN_PROSE, extra={"words": "Write what it is like."})]
Histogram = Annotated[list[Annotated[int, Meta(ge=0, le=10**12)]], Meta(min_length=5, max_length=5)]
"""How many gave one, two, three, four and five stars."""
Sort = Literal["newest", "helpful", "stars"]
ReviewStatus = Literal["reported", "hidden", "all"]
ReportWhy = Annotated[str, Meta(max_length=500, pattern=PROSE)]


class NewReview(Struct, frozen=True):
    stars: Stars
    body: Body
    title: Title = ""


class ReviewChange(Struct, frozen=True, forbid_unknown_fields=True):
    """What of a review is to be another; what is absent stays."""

    stars: Stars | None = None
    title: Title | None = None
    body: Body | None = None


class Reply(Struct, frozen=True):
    """What a seller says to a review."""

    body: Body


class ReviewReport(Struct, frozen=True):
    """Why a review should be looked at."""

    reason: ReportWhy = ""


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
    edited_at: datetime | None = None
    reply: str = ""
    """What the seller says to it."""
    replied_at: datetime | None = None


class ModeratedReview(Struct, frozen=True, kw_only=True):
    """A review as an operator sees it. `why`: what those who reported it gave as reasons."""

    review_id: ReviewId
    product_id: ProductId
    user_id: UserId
    author: str
    stars: int
    title: str
    body: str
    written_at: datetime
    reports: int
    why: list[str]
    hidden_at: datetime | None
    hidden_because: str


class ModeratedPage(Struct, frozen=True):
    """A page of reviews for an operator, and what asks for the next one."""

    reviews: list[ModeratedReview]
    next_cursor: ReviewId | None = None


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
    """Only people who bought this product here can review it, once it was delivered."""


class OwnReview(Forbidden):
    """This review is your own: you can change it, and neither vote on it nor report it."""
