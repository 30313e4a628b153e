"""Reviews: what buyers say of a product."""

from datetime import datetime

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import ProductId, ReviewId
from mercat.kit.http import Answer
from mercat.kit.refusals import Forbidden, NotFound, Refusal
from mercat.kit.rpc import Caller
from mercat.reviews import NewReview, Reply, Review, ReviewChange, ReviewPage, ReviewReport
from mercat.reviews import Sort as ReviewSort
from mercat.shop import Shop
from mercat.web.cache import public_answer
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit
from mercat.web.session import caller_of, member_of

_NO_REASON = ReviewReport()


class ReviewReplyShown(Struct, frozen=True):
    body: str
    at: datetime


class ProductReviewShown(Struct, frozen=True):
    review_id: ReviewId
    author: str
    stars: int
    title: str
    body: str
    verified: bool
    helpful: int
    written_at: datetime
    edited_at: datetime | None
    reply: ReviewReplyShown | None
    """What the seller says to it."""


class ReviewsShown(Struct, frozen=True):
    reviews: list[ProductReviewShown]
    total: int
    next_cursor: ReviewId | None


class VotesShown(Struct, frozen=True):
    review_id: ReviewId
    helpful: int


class ReviewRemoved(Struct, frozen=True):
    review_id: ReviewId


class ReviewReported(Struct, frozen=True):
    review_id: ReviewId
    reported: bool


class ReviewsApi:
    """What buyers say."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def reviews(
        self,
        product_id: ProductId,
        limit: PageLimit = 20,
        sort: ReviewSort = "newest",
        cursor: ReviewId | None = None,
    ) -> Answer:
        """List what buyers say of a product."""
        await self._known(product_id)
        asked = self._shop.reviews.newest(product_id, limit, cursor, sort)
        page = await self._shop.breakers["reviews"].ask(asked, ReviewPage([], 0))
        shown = ReviewsShown([review_shown(review) for review in page.reviews], page.total, page.next)
        return public_answer(shown, product_id, f"reviews/{product_id}")

    async def review(self, caller: Caller, product_id: ProductId, review: NewReview) -> ProductReviewShown:
        """Say what a product is like; one review a buyer."""
        return review_shown(await _write(self._shop, caller, product_id, review))

    async def edit_review(
        self, caller: Caller, review_id: ReviewId, change: ReviewChange
    ) -> ProductReviewShown:
        """Change a review of one's own; what is not sent stays."""
        return review_shown(await self._shop.reviews.edit(caller, review_id, change))

    async def remove_review(self, caller: Caller, review_id: ReviewId) -> ReviewRemoved:
        """Delete a review of one's own, and its stars with it."""
        await self._shop.reviews.remove(caller, review_id)
        return ReviewRemoved(review_id)

    async def report_review(
        self, caller: Caller, review_id: ReviewId, report: ReviewReport = _NO_REASON
    ) -> ReviewReported:
        """Ask the shop to look at a review. Asking again changes nothing."""
        await self._shop.reviews.report(caller, review_id, report)
        return ReviewReported(review_id, True)

    async def reply_to_review(self, caller: Caller, review_id: ReviewId, reply: Reply) -> ProductReviewShown:
        """Answer a review of a product that one sells; a later answer takes the place of the first."""
        review = await self._shop.reviews.one(review_id)
        if not await _sells(self._shop, caller, review.product_id):
            raise NotFound("There is no such review of your products.")
        return review_shown(await self._shop.reviews.reply(review_id, reply))

    async def helpful(self, caller: Caller, review_id: ReviewId) -> VotesShown:
        """Say that a review helped. Saying it again changes nothing."""
        votes = await self._shop.reviews.helpful(caller, review_id)
        return VotesShown(review_id, votes.helpful)

    async def _known(self, product_id: ProductId) -> None:
        await self._shop.catalog.product(product_id)


async def _sells(shop: Shop, caller: Caller, product_id: ProductId) -> bool:
    """Say whether somebody sells a product; NotFound where there is none."""
    product = await shop.catalog.product(product_id)
    return any(offer.seller_id == caller.seller_id for offer in product.offers)


async def _write(shop: Shop, caller: Caller, product_id: ProductId, review: NewReview) -> Review:
    sells = await _sells(shop, caller, product_id)
    return await shop.reviews.write(caller, product_id, review, sells=sells)


def review_shown(review: Review) -> ProductReviewShown:
    return ProductReviewShown(
        review_id=review.review_id,
        author=review.author,
        stars=review.stars,
        title=review.title,
        body=review.body,
        verified=review.verified,
        helpful=review.helpful,
        written_at=review.written_at,
        edited_at=review.edited_at,
        reply=ReviewReplyShown(review.reply, review.replied_at) if review.replied_at else None,
    )


API = [
    PublicRoute(
        "GET",
        "/products/{product_id}/reviews",
        ReviewsApi.reviews,
        tag="Opinions",
        shows=ReviewsShown,
    ),
    PublicRoute(
        "POST",
        "/products/{product_id}/reviews",
        ReviewsApi.review,
        tag="Opinions",
        needs="member",
        refuses=["not_a_buyer", "already_reviewed"],
    ),
    PublicRoute("PATCH", "/reviews/{review_id}", ReviewsApi.edit_review, tag="Opinions", needs="member"),
    PublicRoute("DELETE", "/reviews/{review_id}", ReviewsApi.remove_review, tag="Opinions", needs="member"),
    PublicRoute(
        "POST",
        "/reviews/{review_id}/report",
        ReviewsApi.report_review,
        tag="Opinions",
        needs="member",
        refuses=["own_review"],
    ),
    PublicRoute(
        "POST",
        "/seller/reviews/{review_id}/reply",
        ReviewsApi.reply_to_review,
        scopes=["catalog:write"],
        tag="Selling",
        needs="seller",
    ),
    PublicRoute(
        "POST",
        "/reviews/{review_id}/helpful",
        ReviewsApi.helpful,
        tag="Opinions",
        needs="member",
        status=200,
        refuses=["own_review"],
    ),
]


class ReviewPages:
    """Writing a review, and saying that one helped."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def review(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        form = form or Form(NewReview)
        product_id = id_of(request.path_params["product_id"], ProductId)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, f"/signin?next=/p/{product_id}/review")
        return await self._pages.page(
            request,
            "review.html",
            refused.status if refused else (422 if form.errors else 200),
            product=await self._shop.catalog.product(product_id),
            form=form,
            refused=message_of(refused) if refused else None,
        )

    async def write_review(self, request: Request) -> Response:
        form = await self._pages.form(request)
        product_id = id_of(request.path_params["product_id"], ProductId)
        caller = await caller_of(request)
        if caller is None:
            return self._pages.redirect(request, f"/signin?next=/p/{product_id}/review")
        asked = read_form(form, NewReview)
        if isinstance(asked, FormErrors):
            return await self.review(request, Form(NewReview, form, asked))
        try:
            await _write(self._shop, caller, product_id, asked)
        except Refusal as refused:
            return await self.review(request, Form(NewReview, form), refused)
        return self._pages.redirect(request, f"/p/{product_id}#reviews")

    async def change(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        review_id = id_of(request.path_params["review_id"], ReviewId)
        await member_of(request)
        review = await self._shop.reviews.one(review_id)
        typed = {"stars": str(review.stars), "title": review.title, "body": review.body}
        form = form or Form(NewReview, typed)
        return await self._pages.page(
            request,
            "review_change.html",
            refused.status if refused else (422 if form.errors else 200),
            product=await self._shop.catalog.product(review.product_id),
            review=review,
            form=form,
            refused=message_of(refused) if refused else None,
        )

    async def save(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        review_id = id_of(request.path_params["review_id"], ReviewId)
        asked = read_form(form, NewReview)
        if isinstance(asked, FormErrors):
            return await self.change(request, Form(NewReview, form, asked))
        change = ReviewChange(asked.stars, asked.title, asked.body)
        review = await self._shop.reviews.edit(caller, review_id, change)
        return self._pages.redirect(request, f"/p/{review.product_id}#reviews")

    async def remove(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await member_of(request)
        review_id = id_of(request.path_params["review_id"], ReviewId)
        product_id = await self._shop.reviews.remove(caller, review_id)
        return self._pages.redirect(request, f"/p/{product_id}#reviews")

    async def reporting(self, request: Request, form: Form | None = None) -> Response:
        await member_of(request)
        form = form or Form(ReviewReport)
        review = await self._shop.reviews.one(id_of(request.path_params["review_id"], ReviewId))
        return await self._pages.page(
            request,
            "review_report.html",
            422 if form.errors else 200,
            product=await self._shop.catalog.product(review.product_id),
            review=review,
            form=form,
            done=False,
        )

    async def report(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller = await member_of(request)
        review_id = id_of(request.path_params["review_id"], ReviewId)
        asked = read_form(form, ReviewReport)
        if isinstance(asked, FormErrors):
            return await self.reporting(request, Form(ReviewReport, form, asked))
        review = await self._shop.reviews.one(review_id)
        await self._shop.reviews.report(caller, review_id, asked)
        return await self._pages.page(
            request,
            "review_report.html",
            product=await self._shop.catalog.product(review.product_id),
            review=review,
            form=Form(ReviewReport),
            done=True,
        )

    async def helpful(self, request: Request) -> Response:
        form = await self._pages.form(request, public=True)
        back = f"/p/{id_of(form.get('product_id', ''), ProductId)}#reviews"
        caller = await caller_of(request)
        fragment = bool(request.headers.get("hx-request"))
        if caller is None or caller.guest:
            if not fragment:
                return self._pages.redirect(request, f"/signin?next={back.partition('#')[0]}")
            return self._pages.message(request, "warn", "Votes need an account.", "/signin", "Sign in")
        try:
            votes = await self._shop.reviews.helpful(
                caller, id_of(request.path_params["review_id"], ReviewId)
            )
        except Forbidden as refused:
            if not fragment:
                raise
            return self._pages.message(request, "warn", str(refused))
        if not fragment:
            return self._pages.redirect(request, back)
        words = (
            f"Thank you. {votes.helpful} {'person' if votes.helpful == 1 else 'people'} found this helpful."
        )
        return self._pages.message(request, "good", words)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    reviews = ReviewPages(pages, shop)
    return [
        pages.route("/p/{product_id}/review", reviews.review),
        pages.route("/p/{product_id}/review", reviews.write_review, "POST"),
        pages.route("/reviews/{review_id}/helpful", reviews.helpful, "POST"),
        pages.route("/reviews/{review_id}", reviews.change),
        pages.route("/reviews/{review_id}", reviews.save, "POST"),
        pages.route("/reviews/{review_id}/remove", reviews.remove, "POST"),
        pages.route("/reviews/{review_id}/report", reviews.reporting),
        pages.route("/reviews/{review_id}/report", reviews.report, "POST"),
    ]
