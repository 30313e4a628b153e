import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import asyncpg

from mercat import ids
from mercat.events import (
    AccountErased,
    OrderDelivered,
    PartChanged,
    ProductsArrived,
    ProductsRefunded,
)
from mercat.ids import ProductId, ReviewId, UserId
from mercat.kit import clock, sql
from mercat.kit.batching import Coalescer
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import Caller
from mercat.kit.text import normal_text
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

queries = sql.load("mercat.reviews")
_ROWS_MAX = 2_000
_SORTED: dict[Sort, str] = {
    "newest": queries.newest,
    "helpful": queries.most_helpful,
    "stars": queries.most_stars,
}
_MODERATED: dict[ReviewStatus, str] = {
    "all": queries.all_of,
    "reported": queries.reported,
    "hidden": queries.hidden,
}
_LAST = 2**63 - 1


class _ReviewRow(NamedTuple):
    review_id: ReviewId
    product_id: ProductId
    user_id: UserId
    author: str
    stars: int
    title: str
    body: str
    written_at: datetime
    vouched: bool | None = None
    """Verified or not, for a review brought along; None: we know who bought what."""


class Reviews:
    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db
        self._write: Coalescer[_ReviewRow, Review] = Coalescer(self._write_many)

    async def write(
        self,
        caller: Caller,
        product_id: ProductId,
        review: NewReview,
        *,
        sells: bool = False,
    ) -> Review:
        """Write a buyer's one review of a product; who `sells` it writes none. Refuses: already_reviewed,
        not_a_buyer."""
        if sells:
            raise NotABuyer("You sell this product, so you cannot review it.")
        return await self._write(
            _ReviewRow(
                ids.new(ReviewId),
                product_id,
                caller.user_id,
                caller.name,
                review.stars,
                normal_text(review.title),
                normal_text(review.body),
                clock.now(),
            )
        )

    async def adopt(self, guest_id: UserId, user_id: UserId) -> None:
        """Let a person write of what they bought as a guest; once more changes nothing."""
        await self._db.execute(queries.adopt, guest_id, user_id)

    async def newest(
        self, product_id: ProductId, limit: int = 20, after: ReviewId | None = None, sort: Sort = "newest"
    ) -> ReviewPage:
        """Return a page of a product's reviews; `after` is the last one of the page before."""
        if not 1 <= limit <= 100:
            raise Invalid("A page has 1 to 100 reviews.", pointer="/limit")
        if sort not in _SORTED:
            raise Invalid("Reviews sort by newest, helpful or stars.", pointer="/sort")
        rated, rows = await asyncio.gather(
            self._db.fetchrow(queries.rating, product_id),
            self._db.fetch(_SORTED[sort], product_id, after, limit + 1),
        )
        reviews = sql.rows(Review, rows[:limit])
        more = reviews[-1].review_id if len(rows) > limit else None
        return ReviewPage(reviews, rated["written"] if rated else 0, more)

    async def of_people(self, user_ids: list[UserId]) -> list[Review]:
        """List what these people wrote, the newest first."""
        return sql.rows(Review, await self._db.fetch(queries.of_people, user_ids))

    async def rating(self, product_id: ProductId) -> Rating:
        """Return the rating of a product by all reviews, with those it came with."""
        row = await self._db.fetchrow(queries.rating, product_id)
        return sql.row(Rating, row) if row else Rating()

    async def helpful(self, caller: Caller, review_id: ReviewId, yes: bool = True) -> Votes:
        """Vote that a review helped, or did not. The same vote again changes nothing."""
        await self._db.execute(queries.vote_many, [review_id], [caller.user_id], [yes])
        row = await self._db.fetchrow(queries.votes, review_id)
        if row is None:
            raise NotFound
        if row["user_id"] == caller.user_id:
            raise OwnReview
        return sql.row(Votes, row)

    async def one(self, review_id: ReviewId) -> Review:
        """Return a review that is shown; NotFound for others."""
        return self._found(await self._db.fetchrow(queries.one, review_id))

    async def edit(self, caller: Caller, review_id: ReviewId, change: ReviewChange) -> Review:
        """Change a review of one's own; NotFound for another's."""
        title = change.title.strip() if change.title is not None else None
        body = change.body.strip() if change.body is not None else None
        row = await self._db.fetchrow(
            queries.edit, review_id, caller.user_id, change.stars, title, body, clock.now()
        )
        return self._found(row)

    async def remove(self, caller: Caller, review_id: ReviewId) -> ProductId:
        """Delete a review of one's own, with its stars; answers of what it was."""
        product_id = await self._db.fetchval(queries.remove, review_id, caller.user_id)
        if product_id is None:
            raise NotFound("You have no such review.")
        return ProductId(product_id)

    async def report(self, caller: Caller, review_id: ReviewId, report: ReviewReport) -> None:
        """Say that a review should be looked at; again changes nothing."""
        await self._db.execute(queries.report, review_id, caller.user_id, report.reason, clock.now())
        row = await self._db.fetchrow(queries.votes, review_id)
        if row is None:
            raise NotFound
        if row["user_id"] == caller.user_id:
            raise OwnReview

    async def reply(self, review_id: ReviewId, reply: Reply) -> Review:
        """Answer a review as the one who sells the product: who asks has seen that they do."""
        return self._found(await self._db.fetchrow(queries.reply, review_id, reply.body.strip(), clock.now()))

    async def hide(self, review_id: ReviewId, why: ReportWhy) -> ModeratedReview:
        """Show a review to nobody, and take its stars out; again changes nothing."""
        await self._db.execute(queries.hide, review_id, why, clock.now())
        return await self.moderated(review_id)

    async def show(self, review_id: ReviewId) -> ModeratedReview:
        """Show a review again that was hidden, or leave one that was reported; again changes nothing."""
        await self._db.execute(queries.show, review_id)
        return await self.moderated(review_id)

    async def moderated(self, review_id: ReviewId) -> ModeratedReview:
        """Return a review as an operator sees it."""
        row = await self._db.fetchrow(queries.moderated, review_id)
        if row is None:
            raise NotFound
        return sql.row(ModeratedReview, row)

    async def to_moderate(
        self, status: ReviewStatus = "all", before: ReviewId | None = None, limit: int = 50
    ) -> ModeratedPage:
        """List reviews for an operator, the newest first."""
        rows = await self._db.fetch(_MODERATED[status], before or _LAST, limit + 1)
        reviews = sql.rows(ModeratedReview, rows[:limit])
        return ModeratedPage(reviews, reviews[-1].review_id if len(rows) > limit else None)

    def _found(self, row: asyncpg.Record | None) -> Review:
        if row is None:
            raise NotFound("There is no such review.")
        return sql.row(Review, {name: row[name] for name in Review.__struct_fields__})

    async def start(self, starts: list[Start]) -> None:
        """Set the stars that products came with, to which those written here are added."""
        last = {start.product_id: start.histogram for start in starts}
        for rows in _chunks((product_id, *histogram) for product_id, histogram in last.items()):
            await self._db.execute(queries.start_many, *sql.columns(rows))

    async def seed(self, reviews: list[OldReview]) -> int:
        """Take over reviews from elsewhere, some thousand rows a statement; answers how many were new.

        Nobody's own review is replaced."""
        new = 0
        for old in _chunks(reviews):
            asks = [
                _ReviewRow(
                    ids.new(ReviewId),
                    review.product_id,
                    review.user_id,
                    review.author,
                    review.stars,
                    review.title,
                    review.body,
                    review.written_at,
                    review.verified,
                )
                for review in old
            ]
            rows = await self._db.fetch(queries.write_many, *sql.columns(asks))
            written = {row["review_id"] for row in rows}
            new += len(written)
            votes = [
                (ask.review_id, voter, yes)
                for ask, review in zip(asks, old, strict=True)
                if ask.review_id in written
                for voters, yes in ((review.helpful, True), (review.unhelpful, False))
                for voter in voters
            ]
            for some in _chunks(votes):
                await self._db.execute(queries.vote_many, *sql.columns(some))
        return new

    @on(OrderDelivered)
    async def remember_deliveries(self, db: asyncpg.Connection, events: list[OrderDelivered]) -> None:
        delivered = [
            (event.user_id, product, event.order_id) for event in events for product in event.product_ids
        ]
        user_ids, product_ids, order_ids = sql.columns(delivered, 3)
        await db.execute(queries.remember_deliveries, user_ids, product_ids, order_ids)
        await db.execute(queries.verify, user_ids, product_ids)

    @on(AccountErased)
    async def forget_people(self, db: asyncpg.Connection, events: list[AccountErased]) -> None:
        """Take people's names off their reviews, and forget what they bought."""
        await db.execute(queries.forget_people, [person for event in events for person in event.people])

    @on(ProductsArrived)
    async def remember_arrivals(self, db: asyncpg.Connection, events: list[ProductsArrived]) -> None:
        """Note what was delivered of an order while the rest is on its way."""
        arrived = [
            (event.user_id, product, event.order_id) for event in events for product in event.product_ids
        ]
        await db.execute(queries.remember_deliveries, *sql.columns(arrived, 3))

    @on(PartChanged)
    async def remember_parts(self, db: asyncpg.Connection, events: list[PartChanged]) -> None:
        """Note the same of a part that was delivered whole, which is all that 0.1.0 tells of arrivals."""
        arrived = [
            (event.user_id, product, event.order_id)
            for event in events
            if event.status == "delivered"
            for product in event.product_ids
        ]
        if arrived:
            await db.execute(queries.remember_deliveries, *sql.columns(arrived, 3))

    @on(ProductsRefunded)
    async def end_rights(self, db: asyncpg.Connection, events: list[ProductsRefunded]) -> None:
        """Hide what was written of goods that were paid back whole, until another purchase is here."""
        refunded = [
            (event.user_id, product, event.order_id) for event in events for product in event.product_ids
        ]
        await db.execute(queries.end_right, *sql.columns(refunded, 3), clock.now())

    async def _write_many(self, asks: list[_ReviewRow]) -> list[Review | Exception]:
        rows = {row["review_id"]: row for row in await self._db.fetch(queries.write_many, *sql.columns(asks))}
        return [_answer(ask, rows.get(ask.review_id)) for ask in asks]


def _answer(ask: _ReviewRow, row: asyncpg.Record | None) -> Review | Exception:
    if row is None:
        return AlreadyReviewed()
    if not row["written"]:
        return NotABuyer()
    return Review(
        review_id=ask.review_id,
        product_id=ask.product_id,
        author=ask.author,
        stars=ask.stars,
        title=ask.title,
        body=ask.body,
        verified=row["verified"],
        helpful=0,
        unhelpful=0,
        written_at=ask.written_at,
    )


def _chunks(rows: Iterable[Any]) -> Iterable[list[Any]]:
    every = list(rows)
    return (every[at : at + _ROWS_MAX] for at in range(0, len(every), _ROWS_MAX))
