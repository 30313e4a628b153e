"""Reviews: what buyers say of a product."""

from datetime import datetime

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import ProductId, ReviewId
from mercat.kit.http import Answer
from mercat.kit.refusals import Forbidden, Refusal
from mercat.kit.rpc import Caller
from mercat.reviews import NewReview, Review, ReviewPage
from mercat.reviews import Sort as ReviewSort
from mercat.shop import Shop
from mercat.web.cache import public_answer
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit
from mercat.web.session import caller_of


class ReviewShown(Struct, frozen=True):
    review_id: ReviewId
    author: str
    stars: int
    title: str
    body: str
    verified: bool
    helpful: int
    written_at: datetime


class ReviewsShown(Struct, frozen=True):
    reviews: list[ReviewShown]
    total: int
    next_cursor: ReviewId | None


class VotesShown(Struct, frozen=True):
    review_id: ReviewId
    helpful: int


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

    async def review(self, caller: Caller, product_id: ProductId, review: NewReview) -> ReviewShown:
        """Say what a product is like; one review a buyer."""
        await self._known(product_id)
        return review_shown(await self._shop.reviews.write(caller, product_id, review))

    async def helpful(self, caller: Caller, review_id: ReviewId) -> VotesShown:
        """Say that a review helped. Saying it again changes nothing."""
        votes = await self._shop.reviews.helpful(caller, review_id)
        return VotesShown(review_id, votes.helpful)

    async def _known(self, product_id: ProductId) -> None:
        await self._shop.catalog.product(product_id)


def review_shown(review: Review) -> ReviewShown:
    return ReviewShown(
        review_id=review.review_id,
        author=review.author,
        stars=review.stars,
        title=review.title,
        body=review.body,
        verified=review.verified,
        helpful=review.helpful,
        written_at=review.written_at,
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
            await self._shop.reviews.write(caller, product_id, asked)
        except Refusal as refused:
            return await self.review(request, Form(NewReview, form), refused)
        return self._pages.redirect(request, f"/p/{product_id}#reviews")

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
    ]
