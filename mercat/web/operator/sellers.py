"""Sellers on the operator's desk: who may sell, whose a seller is, and acting for one that nobody has."""

from datetime import datetime
from typing import Annotated, get_args

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import SellerId
from mercat.kit.refusals import Refusal
from mercat.sellers import Seller, SellerStatus, SuspensionReason
from mercat.shop import Shop
from mercat.web.acting import act_for, stop_acting
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, id_of, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit
from mercat.web.session import with_role
from mercat.web.table_query import choice, link

_A_PAGE = 50
EMAIL_MAX = 254
EmailTyped = Annotated[str, Meta(min_length=3, max_length=EMAIL_MAX, pattern=r"@")]
_DONE = {
    "approved": "They sell from now on.",
    "suspended": "Their goods are off sale.",
    "assigned": "The seller is theirs.",
}
_STATUS: dict[str, tuple[str, ...]] = {"status": get_args(SellerStatus)}


class SuspensionForm(Struct, frozen=True):
    reason: SuspensionReason


class AssignmentForm(Struct, frozen=True):
    email: EmailTyped


_FORMS = (SuspensionForm, AssignmentForm)


class SellerRowShown(Struct, frozen=True):
    seller_id: SellerId
    name: str
    status: SellerStatus
    since: datetime
    has_people: bool
    """Without people it is the operators' to act for, by the header `Seller`."""
    own: bool
    reason: str


class SellersShown(Struct, frozen=True):
    sellers: list[SellerRowShown]
    next_cursor: str | None


class OperatorSellersApi:
    """Who may sell, and whose a seller is."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def sellers(
        self, status: SellerStatus | None = None, limit: PageLimit = 20, cursor: SellerId | None = None
    ) -> SellersShown:
        """List sellers, the newest first."""
        found = await self._shop.sellers.sellers(status, limit, cursor)
        more = str(found[-1].seller_id) if len(found) == limit else None
        return SellersShown([_shown(each) for each in found], more)

    async def approve_seller(self, seller_id: SellerId) -> SellerRowShown:
        """Let a seller in: their goods are for sale. Again changes nothing."""
        return _shown(await self._shop.sellers.approve(seller_id))

    async def suspend_seller(self, seller_id: SellerId, suspension: SuspensionForm) -> SellerRowShown:
        """Take a seller's goods off sale, until they are approved again. What was bought is still shipped."""
        return _shown(await self._shop.sellers.suspend(seller_id, suspension.reason))

    async def assign_seller(self, seller_id: SellerId, assignment: AssignmentForm) -> SellerRowShown:
        """Give a seller that nobody has to the person with this e-mail address."""
        return _shown(await self._shop.membership.assign_seller(seller_id, assignment.email))


def _shown(seller: Seller) -> SellerRowShown:
    return SellerRowShown(
        seller.seller_id,
        seller.name,
        seller.status,
        seller.since,
        seller.user_id is not None,
        seller.own,
        seller.reason,
    )


API = [
    PublicRoute("GET", "/operator/sellers", OperatorSellersApi.sellers, tag="Selling", needs="operator"),
    PublicRoute(
        "POST",
        "/operator/sellers/{seller_id}/approve",
        OperatorSellersApi.approve_seller,
        tag="Selling",
        needs="operator",
        status=200,
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/operator/sellers/{seller_id}/suspend",
        OperatorSellersApi.suspend_seller,
        tag="Selling",
        needs="operator",
        status=200,
        refuses=["not_found"],
    ),
    PublicRoute(
        "POST",
        "/operator/sellers/{seller_id}/assign",
        OperatorSellersApi.assign_seller,
        tag="Selling",
        needs="operator",
        status=200,
        refuses=["not_found", "seller_has_people", "already_seller"],
    ),
]


class OperatorSellerPages:
    """Sellers as a table, and what can be done about one."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def sellers(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        await with_role(request, "operator")
        chosen = choice(request.query_params, _STATUS)
        before = request.query_params.get("before")
        found = await self._shop.sellers.sellers(
            next((each for each in get_args(SellerStatus) if each == chosen.get("status")), None),
            _A_PAGE,
            id_of(before, SellerId) if before else None,
        )
        last = found[-1].seller_id if len(found) == _A_PAGE else None
        return await operator_page(
            self._pages,
            request,
            "sellers",
            "operator_sellers.html",
            status=refused.status if refused else (422 if form and form.errors else 200),
            sellers=found,
            chosen=chosen,
            statuses=_STATUS["status"],
            more=link("/operator/sellers", chosen, before=last) if last else None,
            form=form or Form(_FORMS),
            said=_DONE.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused and not (form and form.errors) else None,
        )

    async def approve(self, request: Request) -> Response:
        await self._pages.form(request)
        seller_id = await self._seller(request)
        try:
            await self._shop.sellers.approve(seller_id)
        except Refusal as refused:
            return await self.sellers(request, None, refused)
        return self._pages.redirect(request, "/operator/sellers?said=approved")

    async def suspend(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id = await self._seller(request)
        asked = read_form(form, SuspensionForm)
        if isinstance(asked, FormErrors):
            return await self.sellers(request, Form(_FORMS, form, asked, at=seller_id))
        try:
            await self._shop.sellers.suspend(seller_id, asked.reason)
        except Refusal as refused:
            return await self.sellers(request, None, refused)
        return self._pages.redirect(request, "/operator/sellers?said=suspended")

    async def assign(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id = await self._seller(request)
        asked = read_form(form, AssignmentForm)
        if isinstance(asked, FormErrors):
            return await self.sellers(request, Form(_FORMS, form, asked, at=seller_id))
        try:
            await self._shop.membership.assign_seller(seller_id, asked.email)
        except Refusal as refused:
            shown = Form(_FORMS, form, errors_of(refused), at=seller_id)
            return await self.sellers(request, shown, refused)
        return self._pages.redirect(request, "/operator/sellers?said=assigned")

    async def act(self, request: Request) -> Response:
        """Open the desk of a seller that nobody has."""
        await self._pages.form(request)
        seller_id = await self._seller(request)
        act_for(request, seller_id)
        return self._pages.redirect(request, "/desk")

    async def stop(self, request: Request) -> Response:
        await self._pages.form(request)
        await with_role(request, "operator")
        stop_acting(request)
        return self._pages.redirect(request, "/operator/sellers")

    async def _seller(self, request: Request) -> SellerId:
        await with_role(request, "operator")
        return id_of(request.path_params["seller_id"], SellerId)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    sellers = OperatorSellerPages(pages, shop)
    return [
        pages.route("/operator/sellers", sellers.sellers),
        pages.route("/operator/sellers/acting/stop", sellers.stop, "POST"),
        pages.route("/operator/sellers/{seller_id}/approve", sellers.approve, "POST"),
        pages.route("/operator/sellers/{seller_id}/suspend", sellers.suspend, "POST"),
        pages.route("/operator/sellers/{seller_id}/assign", sellers.assign, "POST"),
        pages.route("/operator/sellers/{seller_id}/act", sellers.act, "POST"),
    ]
