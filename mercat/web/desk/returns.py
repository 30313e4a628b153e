"""Goods on their way back to a seller: approving, refusing, saying what was in the parcel.

Operators do the same for sellers that leave a return lying (`operator/returns.py`), on the same page."""

from collections.abc import Mapping
from typing import Annotated, cast, get_args

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.ids import ReturnId, SellerId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.returns import (
    GoodsReturn,
    ReceivedGoods,
    ReceivedLines,
    ReceivedUnits,
    ReturnPage,
    ReturnStatus,
    ReturnWhy,
    UnitCondition,
    Withheld,
)
from mercat.shop import Shop
from mercat.web.desk.page import A_PAGE, DONE, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.errors import message_of
from mercat.web.forms import MONEY, Form, FormErrors, id_of, read_form
from mercat.web.order_shown import numbers_of
from mercat.web.pages import Pages
from mercat.web.returns import REASONS, ReturnShown, return_shown
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import PageLimit, Price, minor
from mercat.web.session import with_role
from mercat.web.shipments import PackedQuantity
from mercat.web.table_query import AFTER, choice, link

LEFT_LYING = "left_lying"
"""What of the operator's list sellers have left lying: theirs to decide."""
_ALL = "all"
_TABS: dict[str, str] = {
    _ALL: "All",
    "requested": "To answer",
    "approved": "Expected",
    "in_transit": "On their way",
    "received": "Being paid back",
    "refunded": "Paid back",
    "refused": "Refused",
    "closed": "Closed",
}
CONDITIONS: dict[UnitCondition, str] = {
    "sellable": "As new, back on the shelf",
    "damaged": "Damaged",
    "missing": "Not in the parcel",
}


class RefuseReturn(Struct, frozen=True):
    """Why a return is refused; its shopper reads it."""

    reason: ReturnWhy


class WithheldGiven(Struct, frozen=True):
    """What is kept of the price of what came back, and why; its shopper reads it."""

    amount: Price
    reason: ReturnWhy


class ReceiveReturn(Struct, frozen=True):
    """What was in the parcel: every unit of the return, each in one condition."""

    lines: ReceivedLines
    withheld: WithheldGiven | None = None


class ReturnListShown(Struct, frozen=True):
    returns: list[ReturnShown]
    next_cursor: ReturnId | None


def return_list_shown(page: ReturnPage) -> ReturnListShown:
    return ReturnListShown([return_shown(back) for back in page.returns], page.next_cursor)


def received_goods(given: ReceiveReturn, currency: str) -> ReceivedGoods:
    """Read what was received, with the amount that is withheld in minor units."""
    if given.withheld is None:
        return ReceivedGoods(given.lines)
    amount = minor(given.withheld.amount, currency, "/withheld/amount")
    return ReceivedGoods(given.lines, Withheld(amount, given.withheld.reason))


class SellerReturnsApi:
    """Goods that come back to a seller."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def seller_returns(
        self,
        caller: Caller,
        status: ReturnStatus | None = None,
        limit: PageLimit = 20,
        cursor: ReturnId | None = None,
    ) -> ReturnListShown:
        """List returns of one's own goods, newest first."""
        page = await self._shop.returns.newest(seller_id_of(caller), status, cursor, limit)
        return return_list_shown(page)

    async def approve_return(self, caller: Caller, return_id: ReturnId) -> ReturnShown:
        """Let goods come back. Nothing is paid back before they are here."""
        return return_shown(await self._shop.returns.approve(return_id, seller_id_of(caller)))

    async def refuse_return(self, caller: Caller, return_id: ReturnId, refusal: RefuseReturn) -> ReturnShown:
        """Refuse a return that was not approved, and say why."""
        seller_id = seller_id_of(caller)
        return return_shown(await self._shop.checkout.refuse_return(return_id, refusal.reason, seller_id))

    async def receive_return(self, caller: Caller, return_id: ReturnId, goods: ReceiveReturn) -> ReturnShown:
        """Say what was in the parcel, unit by unit: what came is paid back, less what is withheld, and what
        can be sold again goes back to the shelf. What is missing is not paid."""
        seller_id = seller_id_of(caller)
        back = await self._shop.returns.one(return_id, None, seller_id)
        received = received_goods(goods, back.currency)
        return return_shown(await self._shop.checkout.receive_return(return_id, received, seller_id))


API = [
    PublicRoute(
        "GET",
        "/seller/returns",
        SellerReturnsApi.seller_returns,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
    ),
    PublicRoute(
        "POST",
        "/seller/returns/{return_id}/approve",
        SellerReturnsApi.approve_return,
        tag="Selling",
        needs="seller",
        scopes=["orders:write"],
        status=200,
        refuses=["return_moved_on"],
    ),
    PublicRoute(
        "POST",
        "/seller/returns/{return_id}/refuse",
        SellerReturnsApi.refuse_return,
        tag="Selling",
        needs="seller",
        scopes=["orders:write"],
        status=200,
        refuses=["return_moved_on"],
    ),
    PublicRoute(
        "POST",
        "/seller/returns/{return_id}/receive",
        SellerReturnsApi.receive_return,
        tag="Selling",
        needs="seller",
        scopes=["orders:write"],
        status=200,
        refuses=["return_moved_on"],
    ),
]


class WithheldForm(Struct, frozen=True):
    withheld: Annotated[int, Meta(ge=0), MONEY]
    because: ReturnWhy


class ReturnDeskPages:
    """Returns as a list with tabs: a seller's own, or an operator's with what sellers have left lying."""

    def __init__(self, pages: Pages, shop: Shop, *, operator: bool = False) -> None:
        self._pages = pages
        self._shop = shop
        self._operator = operator
        self._path = "/operator/returns" if operator else "/desk/returns"

    async def returns(
        self,
        request: Request,
        refused: Refusal | None = None,
        refuse_form: Form | None = None,
        receive_form: Form | None = None,
    ) -> Response:
        seller_id, name = await self._who(request)
        tabs = {LEFT_LYING: "To decide", **_TABS} if self._operator else _TABS
        first = next(iter(tabs))
        query: Mapping[str, str] = request.query_params if request.method == "GET" else {"status": _ALL}
        chosen = choice(query, {"status": tuple(tabs), **AFTER})
        status = chosen.get("status", first)
        after = id_of(chosen["after"], ReturnId) if "after" in chosen else None
        if status == LEFT_LYING:
            page = await self._shop.returns.left_lying(after, A_PAGE)
        else:
            of = None if status == _ALL else cast(ReturnStatus, status)
            page = await self._shop.returns.newest(seller_id, of, after, A_PAGE)
        counts = await self._shop.returns.counts(seller_id)
        counts[_ALL] = sum(count for value, count in counts.items() if value != LEFT_LYING)
        wrong = any(form and form.errors for form in (refuse_form, receive_form))
        return await self._pages.page(
            request,
            "desk_returns.html",
            refused.status if refused else (422 if wrong else 200),
            desk="operator" if self._operator else "seller",
            desk_name=name,
            here="returns",
            path=self._path,
            returns=page.returns,
            numbers=await numbers_of(self._shop, (back.order_id for back in page.returns)),
            tabs=[(value, words, counts.get(value, 0)) for value, words in tabs.items()],
            shown=status,
            reasons=REASONS,
            conditions=list(CONDITIONS.items()),
            currency=self._shop.settings.currency,
            more=link(self._path, {"status": status}, after=page.next_cursor) if page.next_cursor else None,
            said=DONE.get(request.query_params.get("said", "")),
            refuse_form=refuse_form or Form(RefuseReturn),
            receive_form=receive_form or Form((PackedQuantity, WithheldForm)),
            refused=message_of(refused) if refused else None,
        )

    async def approve(self, request: Request) -> Response:
        await self._pages.form(request)
        seller_id, _ = await self._who(request)
        return_id = id_of(request.path_params["return_id"], ReturnId)
        try:
            await self._shop.returns.approve(return_id, seller_id)
        except Refusal as refused:
            return await self.returns(request, refused)
        return self._pages.redirect(request, f"{self._path}?status=approved&said=return_approved")

    async def refuse(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id, _ = await self._who(request)
        return_id = id_of(request.path_params["return_id"], ReturnId)
        asked = read_form(form, RefuseReturn)
        if isinstance(asked, FormErrors):
            return await self.returns(request, refuse_form=Form(RefuseReturn, form, asked, at=return_id))
        try:
            await self._shop.checkout.refuse_return(return_id, asked.reason, seller_id)
        except Refusal as refused:
            return await self.returns(request, refused, Form(RefuseReturn, form, at=return_id))
        return self._pages.redirect(request, f"{self._path}?status=refused&said=return_refused")

    async def receive(self, request: Request) -> Response:
        form = await self._pages.form(request)
        seller_id, _ = await self._who(request)
        back = await self._shop.returns.one(
            id_of(request.path_params["return_id"], ReturnId), None, seller_id
        )
        goods = _received(form, back)
        kinds = (PackedQuantity, WithheldForm)
        if isinstance(goods, FormErrors):
            return await self.returns(request, receive_form=Form(kinds, form, goods, at=back.return_id))
        try:
            await self._shop.checkout.receive_return(back.return_id, goods, seller_id)
        except Refusal as refused:
            return await self.returns(request, refused, receive_form=Form(kinds, form, at=back.return_id))
        return self._pages.redirect(request, f"{self._path}?status=refunded&said=return_received")

    async def _who(self, request: Request) -> tuple[SellerId | None, str]:
        """Say as which seller somebody asks (none: as an operator), and under which name."""
        if self._operator:
            return None, (await with_role(request, "operator")).name
        _, seller_id = await seller_of(request)
        return seller_id, (await self._shop.sellers.seller(seller_id)).name


def _received(form: Mapping[str, str], back: GoodsReturn) -> ReceivedGoods | FormErrors:
    """Read a form that says of each line how many units came in which condition, and what is withheld."""
    lines, errors = list[ReceivedUnits](), FormErrors()
    for line in back.lines:
        for condition in get_args(UnitCondition):
            name = f"{condition}-{line.order_line_id}"
            read = read_form({"quantity": form.get(name, "") or "0"}, PackedQuantity)
            if isinstance(read, FormErrors):
                errors[name] = read["quantity"]
            elif read.quantity:
                lines.append(ReceivedUnits(line.order_line_id, read.quantity, condition))
    withheld = None
    if form.get("withheld", "").strip(" 0.") or form.get("because", "").strip():
        kept = read_form(form, WithheldForm, currency=back.currency)
        if isinstance(kept, FormErrors):
            errors |= kept
        else:
            withheld = Withheld(kept.withheld, kept.because)
    return errors or ReceivedGoods(lines, withheld)


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    return return_pages(pages, ReturnDeskPages(pages, shop), "/desk/returns")


def return_pages(pages: Pages, desk: ReturnDeskPages, path: str) -> list[Endpoint]:
    """List the pages by which a seller, or an operator, decides returns."""
    return [
        pages.route(path, desk.returns),
        pages.route(f"{path}/{{return_id}}/approve", desk.approve, "POST"),
        pages.route(f"{path}/{{return_id}}/refuse", desk.refuse, "POST"),
        pages.route(f"{path}/{{return_id}}/receive", desk.receive, "POST"),
    ]
