"""Reviews that somebody reported, and hiding what should not stand."""

from datetime import datetime
from typing import cast, get_args

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import ProductId, ReviewId, UserId
from mercat.kit.rpc import Caller
from mercat.reviews import ModeratedReview, ReviewReport, ReviewStatus
from mercat.shop import Shop
from mercat.web.forms import FormErrors, id_of, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit
from mercat.web.session import with_role
from mercat.web.table_query import choice, link

_A_PAGE = 50
_NO_REASON = ReviewReport()
_STATUS: dict[str, tuple[ReviewStatus, ...]] = {"status": get_args(ReviewStatus)}


class ModeratedReviewShown(Struct, frozen=True, kw_only=True):
    review_id: ReviewId
    product_id: ProductId
    user_id: UserId
    author: str
    stars: int
    title: str
    body: str
    written_at: datetime
    reports: int
    reasons: list[str]
    hidden: bool
    hidden_because: str


class ModeratedReviewsShown(Struct, frozen=True):
    reviews: list[ModeratedReviewShown]
    next_cursor: ReviewId | None


class ModerationApi:
    """Reviews as operators see them."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def moderated_reviews(
        self,
        caller: Caller,
        status: ReviewStatus = "all",
        limit: PageLimit = 50,
        cursor: ReviewId | None = None,
    ) -> ModeratedReviewsShown:
        """List reviews, the newest first: all, those reported and not yet hidden, or those hidden."""
        page = await self._shop.reviews.to_moderate(status, cursor, limit)
        return ModeratedReviewsShown([_shown(each) for each in page.reviews], page.next_cursor)

    async def moderated_review(self, caller: Caller, review_id: ReviewId) -> ModeratedReviewShown:
        """Show a review with what was said against it."""
        return _shown(await self._shop.reviews.moderated(review_id))

    async def hide_review(
        self, caller: Caller, review_id: ReviewId, report: ReviewReport = _NO_REASON
    ) -> ModeratedReviewShown:
        """Show a review to nobody, and take its stars out."""
        return _shown(await self._shop.reviews.hide(review_id, report.reason))

    async def show_review(self, caller: Caller, review_id: ReviewId) -> ModeratedReviewShown:
        """Show a review again, or leave one that was reported."""
        return _shown(await self._shop.reviews.show(review_id))


def _shown(review: ModeratedReview) -> ModeratedReviewShown:
    return ModeratedReviewShown(
        review_id=review.review_id,
        product_id=review.product_id,
        user_id=review.user_id,
        author=review.author,
        stars=review.stars,
        title=review.title,
        body=review.body,
        written_at=review.written_at,
        reports=review.reports,
        reasons=[why for why in review.why if why],
        hidden=review.hidden_at is not None,
        hidden_because=review.hidden_because,
    )


_PATH = "/operator/reviews/{review_id}"
API = [
    PublicRoute(
        "GET",
        "/operator/reviews",
        ModerationApi.moderated_reviews,
        tag="Running the shop",
        needs="operator",
    ),
    PublicRoute("GET", _PATH, ModerationApi.moderated_review, tag="Running the shop", needs="operator"),
    PublicRoute(
        "POST",
        f"{_PATH}/hide",
        ModerationApi.hide_review,
        tag="Running the shop",
        needs="operator",
        status=200,
    ),
    PublicRoute(
        "POST",
        f"{_PATH}/show",
        ModerationApi.show_review,
        tag="Running the shop",
        needs="operator",
        status=200,
    ),
]


class ModerationPages:
    """Reviews as a table, to hide and to show."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def reviews(self, request: Request) -> Response:
        await with_role(request, "operator")
        chosen = choice(request.query_params, _STATUS)
        before = request.query_params.get("before")
        page = await self._shop.reviews.to_moderate(
            cast(ReviewStatus, chosen.get("status", "reported")),
            id_of(before, ReviewId) if before else None,
            _A_PAGE,
        )
        return await operator_page(
            self._pages,
            request,
            "reviews",
            "operator_reviews.html",
            reviews=page.reviews,
            which=chosen.get("status", "reported"),
            more=link("/operator/reviews", chosen, before=page.next_cursor) if page.next_cursor else None,
        )

    async def hide(self, request: Request) -> Response:
        form = await self._pages.form(request)
        await with_role(request, "operator")
        asked = read_form(form, ReviewReport)
        why = "" if isinstance(asked, FormErrors) else asked.reason
        await self._shop.reviews.hide(id_of(request.path_params["review_id"], ReviewId), why)
        return self._pages.redirect(request, "/operator/reviews")

    async def show(self, request: Request) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        await self._shop.reviews.show(id_of(request.path_params["review_id"], ReviewId))
        return self._pages.redirect(request, "/operator/reviews")


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = ModerationPages(pages, shop)
    return [
        pages.route("/operator/reviews", desk.reviews),
        pages.route("/operator/reviews/{review_id}/hide", desk.hide, "POST"),
        pages.route("/operator/reviews/{review_id}/show", desk.show, "POST"),
    ]
