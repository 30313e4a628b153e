"""Goods that a shopper sends back: asking, sending, thinking better of it."""

from datetime import datetime
from urllib.parse import urlencode

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.checkout import AskReturn, Returnable
from mercat.ids import LineId, OrderId, ProductId, ReturnId, SellerId, number_shown
from mercat.kit.refusals import Invalid, Refusal
from mercat.kit.rpc import Caller
from mercat.orders import Order
from mercat.returns import GoodsReturn, Sent
from mercat.shop import Shop
from mercat.web.errors import RefusalMessage, message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.idempotency import form_key, key_of
from mercat.web.order_shown import OrderKey, has_key, order_of, sums_of
from mercat.web.orders import TimelineStep
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, PageLimit, SellerShown, page_of
from mercat.web.session import caller_of
from mercat.web.shipments import PackedQuantity, read_packed

REASONS = {
    "damaged": "It arrived damaged",
    "wrong_item": "It is not what I ordered",
    "not_as_described": "It is not as described",
    "not_needed": "I do not need it after all",
    "arrived_late": "It arrived too late",
    "other": "Something else",
}
"""Why goods come back, in a shopper's words."""


class ReturnLineShown(Struct, frozen=True, kw_only=True):
    order_line_id: LineId
    product_id: ProductId
    title: str
    image_url: str
    quantity: int
    unit_price: Amount
    sellable: int
    damaged: int
    missing: int


class WithheldShown(Struct, frozen=True):
    amount: Amount
    reason: str


class ReturnShown(Struct, frozen=True, kw_only=True):
    return_id: ReturnId
    order_id: OrderId
    status: str
    reason: str
    comment: str
    seller: SellerShown
    currency: str
    lines: list[ReturnLineShown]
    carrier: str
    tracking_number: str
    decided_by: str
    refused_because: str
    withheld: WithheldShown | None
    refund_amount: Amount | None
    created_at: datetime
    approved_at: datetime | None
    sent_at: datetime | None
    received_at: datetime | None
    ended_at: datetime | None


class ReturnsShown(Struct, frozen=True):
    returns: list[ReturnShown]
    next_cursor: ReturnId | None


def return_shown(back: GoodsReturn) -> ReturnShown:
    currency = back.currency
    withheld = WithheldShown(money.shown(back.withheld, currency), back.withheld_because)
    return ReturnShown(
        return_id=back.return_id,
        order_id=back.order_id,
        status=back.status,
        reason=back.reason,
        comment=back.comment,
        seller=SellerShown(back.seller_id, back.seller_name),
        currency=currency,
        lines=[
            ReturnLineShown(
                order_line_id=line.order_line_id,
                product_id=line.product_id,
                title=line.title,
                image_url=line.image_url,
                quantity=line.quantity,
                unit_price=money.shown(line.unit_price, currency),
                sellable=line.sellable,
                damaged=line.damaged,
                missing=line.missing,
            )
            for line in back.lines
        ],
        carrier=back.carrier,
        tracking_number=back.tracking_number,
        decided_by=back.decided_by,
        refused_because=back.refused_because,
        withheld=withheld if back.withheld else None,
        refund_amount=money.shown(back.refunded, currency) if back.refunded else None,
        created_at=back.asked_at,
        approved_at=back.approved_at,
        sent_at=back.sent_at,
        received_at=back.received_at,
        ended_at=back.ended_at,
    )


class ReturnsApi:
    """Sending goods of one's own orders back."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def ask_return(
        self,
        request: Request,
        caller: Caller | None,
        order_id: OrderId,
        ask: AskReturn,
        key: OrderKey | None = None,
    ) -> ReturnShown:
        """Ask to send back some of what one seller delivered. Nothing is paid back before it is there."""
        order = await order_of(self._shop, caller, order_id, key)
        once = key_of(request) or ""
        return return_shown(await self._shop.checkout.ask_return(order_id, order.user_id, ask, once))

    async def returns(
        self,
        caller: Caller | None,
        order_id: OrderId,
        key: OrderKey | None = None,
        limit: PageLimit | None = None,
        cursor: ReturnId | None = None,
    ) -> ReturnsShown:
        """List the returns of one of one's own orders, newest first: all, or so many at a time."""
        order = await order_of(self._shop, caller, order_id, key)
        found = await self._shop.returns.of_order(order.order_id)
        page, after = page_of(found, lambda each: each.return_id, limit, cursor)
        return ReturnsShown([return_shown(back) for back in page], after)

    async def return_sent(
        self,
        caller: Caller | None,
        order_id: OrderId,
        return_id: ReturnId,
        sent: Sent,
        key: OrderKey | None = None,
    ) -> ReturnShown:
        """Say by which carrier approved goods go back; until they have arrived it can be put right."""
        order = await order_of(self._shop, caller, order_id, key)
        return return_shown(await self._shop.returns.sent(return_id, order.order_id, sent))

    async def withdraw_return(
        self, caller: Caller | None, order_id: OrderId, return_id: ReturnId, key: OrderKey | None = None
    ) -> ReturnShown:
        """Think better of a return that was not sent yet."""
        order = await order_of(self._shop, caller, order_id, key)
        return return_shown(await self._shop.checkout.withdraw_return(order.order_id, return_id))


API = [
    PublicRoute(
        "POST",
        "/orders/{order_id}/returns",
        ReturnsApi.ask_return,
        tag="Buying",
        refuses=["not_returnable", "key_reused", "sign_in_first"],
    ),
    PublicRoute(
        "GET", "/orders/{order_id}/returns", ReturnsApi.returns, tag="Buying", refuses=["sign_in_first"]
    ),
    PublicRoute(
        "POST",
        "/orders/{order_id}/returns/{return_id}/sent",
        ReturnsApi.return_sent,
        tag="Buying",
        status=200,
        refuses=["return_moved_on", "sign_in_first"],
    ),
    PublicRoute(
        "DELETE",
        "/orders/{order_id}/returns/{return_id}",
        ReturnsApi.withdraw_return,
        tag="Buying",
        refuses=["return_moved_on", "sign_in_first"],
    ),
]


class ReturnPages:
    """The way back as pages: which things and why, what that pays back, and how they travel."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def choose(self, request: Request) -> Response:
        """Show which things may go back, by seller."""
        order, redirect = await self._order(request)
        if order is None:
            return redirect
        return await self._choose(request, order)

    async def ask(self, request: Request) -> Response:
        """Show what was chosen and what it pays back; then, once that was seen, ask for it."""
        given = await self._pages.form(request)
        order, redirect = await self._order(request)
        if order is None:
            return redirect
        form = Form((AskReturn, PackedQuantity), given)
        asked = read_packed(given, AskReturn, "Say how many of what you send back.")
        if isinstance(asked, FormErrors):
            form = Form((AskReturn, PackedQuantity), given, asked)
            return await self._choose(request, order, form, status=422)
        try:
            if given.get("step") != "ask":
                return await self._preview(request, order, asked, form_key(given))
            back = await self._shop.checkout.ask_return(order.order_id, order.user_id, asked, form_key(given))
        except Refusal as refusal:
            return await self._choose(request, order, form, refusal)
        return self._page_of(request, order, back.return_id)

    async def one(
        self, request: Request, refused: Refusal | None = None, form: Form | None = None
    ) -> Response:
        """Show a return: where it is, what comes next, and how to send it."""
        order, redirect = await self._order(request)
        if order is None:
            return redirect
        return_id = id_of(request.path_params["return_id"], ReturnId)
        back = await self._shop.returns.one(return_id, order.order_id)
        return await self._pages.page(
            request,
            "return.html",
            refused.status if refused else (422 if form and form.errors else 200),
            order=order,
            number=number_shown(order.number) or order.order_id,
            order_key=_key_query(request),
            back=back,
            reason=REASONS[back.reason],
            way=return_way(back),
            headline=_HEADLINES[back.status],
            form=form or Form(Sent, {"carrier": back.carrier, "tracking_number": back.tracking_number}),
            refused=message_of(refused) if refused else None,
        )

    async def send(self, request: Request) -> Response:
        """Take the carrier and the tracking number of goods that go back."""
        given = await self._pages.form(request)
        order, redirect = await self._order(request)
        if order is None:
            return redirect
        return_id = id_of(request.path_params["return_id"], ReturnId)
        sent = read_form(given, Sent)
        if isinstance(sent, FormErrors):
            return await self.one(request, form=Form(Sent, given, sent))
        try:
            await self._shop.returns.sent(return_id, order.order_id, sent)
        except Refusal as refusal:
            return await self.one(request, refusal, Form(Sent, given))
        return self._page_of(request, order, return_id)

    async def withdraw(self, request: Request) -> Response:
        """Close a return that its shopper thinks better of."""
        await self._pages.form(request)
        order, redirect = await self._order(request)
        if order is None:
            return redirect
        return_id = id_of(request.path_params["return_id"], ReturnId)
        try:
            await self._shop.checkout.withdraw_return(order.order_id, return_id)
        except Refusal as refusal:
            return await self.one(request, refusal)
        return self._page_of(request, order, return_id)

    async def _order(self, request: Request) -> tuple[Order | None, Response]:
        """Read the order, if it is the visitor's or they have its key; others are sent to sign in."""
        order_id = id_of(request.path_params["order_id"], OrderId)
        caller, key = await caller_of(request), request.query_params.get("key")
        sign_in = self._pages.redirect(request, f"/signin?next=/orders/{order_id}")
        if caller is None and not has_key(self._shop.settings, order_id, key):
            return None, sign_in
        return await order_of(self._shop, caller, order_id, key), sign_in

    def _page_of(self, request: Request, order: Order, back: ReturnId) -> Response:
        return self._pages.redirect(request, f"/orders/{order.order_id}/returns/{back}{_key_query(request)}")

    async def _choose(
        self,
        request: Request,
        order: Order,
        form: Form | None = None,
        refused: Refusal | None = None,
        status: int = 200,
    ) -> Response:
        names = await self._shop.sellers.names(list({line.seller_id for line in order.lines}))
        by_seller: dict[SellerId, list[Returnable]] = {}
        for each in await self._shop.checkout.returnable(order.order_id, order.user_id):
            by_seller.setdefault(each.line.seller_id, []).append(each)
        return await self._pages.page(
            request,
            "return_choose.html",
            refused.status if refused else status,
            order=order,
            number=number_shown(order.number) or order.order_id,
            order_key=_key_query(request),
            parts=[(names.get(seller_id, "the seller"), lines) for seller_id, lines in by_seller.items()],
            units_left=sum(each.quantity for lines in by_seller.values() for each in lines),
            reasons=list(REASONS.items()),
            form=form or Form((AskReturn, PackedQuantity)),
            refused=_nothing_sent_back(refused) if refused else None,
        )

    async def _preview(self, request: Request, order: Order, asked: AskReturn, key: str) -> Response:
        lines = {line.order_line_id: line for line in order.lines}
        sellers = {lines[each.order_line_id].seller_id for each in asked.lines if each.order_line_id in lines}
        if len(sellers) != 1:
            raise Invalid("Goods go back to who sold them: ask one seller at a time.")
        owed = await self._shop.checkout.preview_return(order.order_id, sellers.pop(), asked)
        return await self._pages.page(
            request,
            "return_preview.html",
            order=order,
            number=number_shown(order.number) or order.order_id,
            order_key=_key_query(request),
            asked=asked,
            lines=[(lines[each.order_line_id], each.quantity) for each in asked.lines],
            reason=REASONS[asked.reason],
            owed=owed,
            sums=sums_of(owed),
            key=key,
        )


_HEADLINES: dict[str, str] = {
    "requested": "Waiting for the seller",
    "approved": "Ready to send",
    "refused": "Refused by the seller",
    "in_transit": "On its way back",
    "received": "Arrived, being paid back",
    "refunded": "Paid back",
    "closed": "Closed",
}


def return_way(back: GoodsReturn) -> list[TimelineStep]:
    """List what became of a return, and what is still to come."""
    steps = [TimelineStep("You asked to send it back", back.asked_at)]
    if back.approved_at:
        by = {"shop": "the shop", "operator": "an operator"}
        steps.append(TimelineStep("Approved", back.approved_at, by.get(back.decided_by, "")))
    if back.sent_at:
        steps.append(TimelineStep("Sent", back.sent_at, f"{back.carrier} {back.tracking_number}"))
    if back.received_at:
        steps.append(TimelineStep(f"{back.seller_name} received it", back.received_at))
    if back.status == "refunded":
        amount = money.words(back.refunded, back.currency)
        steps.append(TimelineStep(f"{amount} paid back", back.ended_at))
    elif back.status == "refused":
        steps.append(TimelineStep("Refused", back.ended_at, back.refused_because, "bad"))
    elif back.status == "closed":
        said = "Withdrawn by you" if back.decided_by == "shopper" else "Closed without a refund"
        steps.append(TimelineStep(said, back.ended_at, tone="bad"))
    come = {"approved": back.approved_at, "sent": back.sent_at, "received": back.received_at}
    words = {"approved": "Approved", "sent": "Sent", "received": f"{back.seller_name} receives it"}
    if back.ended_at is None:
        steps += [TimelineStep(words[name], tone="next") for name, at in come.items() if at is None]
        steps.append(TimelineStep("Paid back", tone="next"))
    return steps


def _key_query(request: Request) -> str:
    """Return the order's key as a query, to go on with; empty where there is none."""
    key = request.query_params.get("key")
    return f"?{urlencode({'key': key})}" if key else ""


def _nothing_sent_back(refusal: Refusal) -> RefusalMessage:
    return RefusalMessage(
        "Nothing was asked for",
        str(refusal),
        "Nothing was paid back by this; what was paid back before stays so.",
        "Look at what can be sent back below, then try again.",
    )


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    returns = ReturnPages(pages, shop)
    return [
        pages.route("/orders/{order_id}/return", returns.choose),
        pages.route("/orders/{order_id}/return", returns.ask, "POST"),
        pages.route("/orders/{order_id}/returns/{return_id}", returns.one),
        pages.route("/orders/{order_id}/returns/{return_id}/sent", returns.send, "POST"),
        pages.route("/orders/{order_id}/returns/{return_id}/withdraw", returns.withdraw, "POST"),
    ]
