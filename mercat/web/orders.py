"""Orders after they are placed: the list, one order with every parcel on its way, cancelling."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.accounts import Email
from mercat.checkout import CancelAsk
from mercat.fulfilment import PickupPoint, Shipment, tracking_url
from mercat.ids import OfferId, OrderId, SellerId, number_shown, parse_number
from mercat.inventory import Line
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.orders import Happening, Order, OrderLineView, OrderNumber
from mercat.payments import Payment
from mercat.quantity import QUANTITY_MAX
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import RefusalMessage
from mercat.web.forms import Form, FormErrors, id_of, number_in, read_form
from mercat.web.here import chosen_country
from mercat.web.idempotency import form_key
from mercat.web.imported_orders import bought_before
from mercat.web.money_back import WHOLE, CancelBody, cancel_ask
from mercat.web.order_shown import (
    OrderKey,
    OrderShown,
    has_key,
    order_of,
    order_shown,
    pickup_of,
    shopper_of,
    sums_of,
)
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, Cursor, PageLimit, PageNumber
from mercat.web.session import caller_of, guest_session
from mercat.web.shipments import PACKED, PARCEL_WAY, PackedQuantity, read_packed

_A_PAGE = 20
_PAGES_MAX = 1_000
_HEADLINES = {
    "confirmed": "Being packed",
    "partially_shipped": "Partly on its way",
    "shipped": "On its way",
    "delivered": "Delivered",
    "cancelled": "Cancelled and refunded",
}


class OrderSummaryShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    number: str | None
    status: str
    total: Amount
    currency: str
    created_at: datetime
    item_count: int
    title: str
    image_url: str


class OrderWanted(Struct, frozen=True):
    """An order that somebody looks for, by the number in their letters and the address they went to."""

    number: OrderNumber
    email: Email


class OrderLetterSent(Struct, frozen=True):
    """Said whether there is such an order or not."""

    detail: str = "If there is such an order, its letter is on its way to that address."


class OrdersShown(Struct, frozen=True):
    orders: list[OrderSummaryShown]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None


class OrdersApi:
    """One's own orders."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def orders(
        self,
        caller: Caller,
        page: PageNumber = 1,
        limit: PageLimit = 20,
        cursor: Cursor | None = None,
    ) -> OrdersShown:
        """List one's own orders, newest first."""
        people = await self._shop.checkout.people(caller)
        found = await self._shop.orders.list_of(people, page, limit, cursor)
        return OrdersShown(
            [
                OrderSummaryShown(
                    order_id=order.order_id,
                    number=number_shown(order.number),
                    status=order.status,
                    total=money.shown(order.total, order.currency),
                    currency=order.currency,
                    created_at=order.created_at,
                    item_count=order.item_count,
                    title=order.title,
                    image_url=order.image_url,
                )
                for order in found.orders
            ],
            found.total,
            page,
            -(-found.total // limit),
            found.next_cursor,
        )

    async def order(
        self, caller: Caller | None, order_id: OrderId, key: OrderKey | None = None
    ) -> OrderShown:
        """Show one of one's own orders: parts, lines, payments, parcels and all that happened. The key from a
        letter's link shows it without a session."""
        return await order_shown(self._shop, await order_of(self._shop, caller, order_id, key))

    async def cancel(
        self,
        request: Request,
        caller: Caller | None,
        order_id: OrderId,
        key: OrderKey | None = None,
        body: CancelBody = WHOLE,
    ) -> OrderShown:
        """Cancel units that have not shipped, all of them where none are named, and pay them back; the
        delivery too once nothing of a part will ship. All again changes nothing."""
        shop = self._shop
        order = await order_of(shop, caller, order_id, key)
        shopper = shopper_of(shop, caller, order, key)
        cancelled = await shop.checkout.cancel(shopper, order_id, cancel_ask(request, body))
        return await order_shown(shop, cancelled)

    async def find_order(self, wanted: OrderWanted) -> OrderLetterSent:
        """Send the letter with an order's link once more, to the address that it was placed with. The answer
        is the same whatever is true."""
        await self._shop.orders.find(parse_number(wanted.number) or 0, wanted.email)
        return OrderLetterSent()


async def _what_followed(shop: Shop, order_id: OrderId) -> tuple[list[Payment], list[Shipment]]:
    """Read an order's payments and parcels."""
    return await asyncio.gather(shop.payments.of_order(order_id), shop.fulfilment.of_order(order_id))


API = [
    PublicRoute("GET", "/orders", OrdersApi.orders, tag="Buying", needs="guest"),
    PublicRoute("GET", "/orders/{order_id}", OrdersApi.order, tag="Buying", refuses=["sign_in_first"]),
    PublicRoute(
        "POST",
        "/orders/{order_id}/cancel",
        OrdersApi.cancel,
        tag="Buying",
        status=200,
        refuses=["not_cancellable", "sign_in_first"],
    ),
    PublicRoute("POST", "/orders/find", OrdersApi.find_order, tag="Buying", status=202),
]


class TimelineStep(NamedTuple):
    """A point of a timeline: passed, to come (`next`), or bad."""

    words: str
    at: datetime | None = None
    more: str = ""
    tone: str = ""


class ParcelView(NamedTuple):
    title: str
    status: str
    carrier: str
    tracking_number: str
    tracking_url: str | None
    lines: list[dict[str, Any]]
    way: list[TimelineStep]


class OrderPages:
    """One's own orders as pages."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def orders(self, request: Request) -> Response:
        caller = await caller_of(request)
        page = number_in(request.query_params.get("page"), 1, 1, _PAGES_MAX)
        orders, total = [], 0
        if caller:
            people = await self._shop.checkout.people(caller)
            found = await self._shop.orders.list_of(people, page, _A_PAGE)
            orders, total = found.orders, found.total
        return await self._pages.page(
            request,
            "orders.html",
            orders=orders,
            page=page,
            pages=max(1, -(-total // _A_PAGE)),
            page_url="/orders?page={}".format,
            guest=caller is None or caller.guest,
            before=await bought_before(self._shop, caller) if page == 1 else [],
        )

    async def find(self, request: Request) -> Response:
        return await self._pages.page(request, "orders_find.html", form=Form(OrderWanted), sent="")

    async def send_letter(self, request: Request) -> Response:
        """Send the letter of an order again, and say the same whether there is one."""
        given = await self._pages.form(request)
        wanted = read_form(given, OrderWanted)
        if isinstance(wanted, FormErrors):
            form = Form(OrderWanted, given, wanted)
            return await self._pages.page(request, "orders_find.html", 422, form=form, sent="")
        await self._shop.orders.find(parse_number(wanted.number) or 0, wanted.email)
        form = Form(OrderWanted)
        return await self._pages.page(request, "orders_find.html", form=form, sent=wanted.number)

    async def order(
        self,
        request: Request,
        refused: RefusalMessage | None = None,
        status: int = 200,
        form: Form | None = None,
    ) -> Response:
        caller = await caller_of(request)
        order_id: OrderId = id_of(request.path_params["order_id"], OrderId)
        key = request.query_params.get("key")
        if caller is None and not has_key(self._shop.settings, order_id, key):
            return self._pages.redirect(request, f"/signin?next=/orders/{order_id}")
        order = await order_of(self._shop, caller, order_id, key)
        payments, shipments = await _what_followed(self._shop, order_id)
        returns = await self._shop.returns.of_order(order_id)
        events = sum(len(each.events) for each in shipments)
        back = "".join(each.status for each in returns)
        seen = f"{order.status}-{events}-{sum(len(each.refunds) for each in payments)}-{back}"
        if request.query_params.get("seen") == seen and request.headers.get("hx-request"):
            return Response(status_code=204)
        names = await self._shop.sellers.names(list({line.seller_id for line in order.lines}))
        return await self._pages.page(
            request,
            "order.html",
            status,
            order=order,
            number=number_shown(order.number) or order.order_id,
            key=f"?key={key}" if key else "",
            guest=caller is None or caller.guest,
            seen=seen,
            payments=payments,
            headline=_HEADLINES.get(order.status, rendering.state(order.status)),
            thanks=request.query_params.get("placed") == "1" and order.status != "cancelled",
            email=order.email,
            moving=order.status in ("confirmed", "partially_shipped", "shipped"),
            parcels=_parcels(order, shipments, names),
            fetched=_fetched(order, names),
            cancellable=[line for line in order.lines if line.left],
            form=form or Form((CancelBody, PackedQuantity)),
            once=form_key({}),
            some_shipped=any(line.shipped or line.cancelled for line in order.lines),
            returnable=any(line.delivered > line.returned + line.coming_back for line in order.lines),
            returns=returns,
            way=_way(order, shipments, names),
            refused=refused,
            undelivered=await self._undelivered(order_id),
        )

    async def _undelivered(self, order_id: OrderId) -> list[str]:
        nothing: list[str] = []
        notifications = self._shop.notifications
        return await self._shop.breakers["notifications"].ask(notifications.undelivered(order_id), nothing)

    async def cancel(self, request: Request) -> Response:
        given = await self._pages.form(request)
        caller, key = await caller_of(request), request.query_params.get("key")
        order_id = id_of(request.path_params["order_id"], OrderId)
        order = await order_of(self._shop, caller, order_id, key)
        some = any(name.startswith(PACKED) for name in given)
        asked = read_packed(given, CancelBody, "Say how many you do not want.") if some else WHOLE
        if isinstance(asked, FormErrors):
            form = Form((CancelBody, PackedQuantity), given, asked)
            return await self.order(request, status=422, form=form)
        ask = CancelAsk(asked.lines, asked.reason, form_key(given))
        try:
            if given.get("step") == "preview":
                return await self._preview_cancel(request, order, ask)
            await self._shop.checkout.cancel(shopper_of(self._shop, caller, order, key), order_id, ask)
        except Refusal as refusal:
            words = RefusalMessage(
                "This order was not cancelled",
                str(refusal),
                "Nothing was refunded; what you paid stays paid.",
                "When it has arrived you can return it.",
            )
            return await self.order(request, words, refusal.status)
        return self._pages.redirect(request, f"/orders/{order_id}" + (f"?key={key}" if key else ""))

    async def _preview_cancel(self, request: Request, order: Order, ask: CancelAsk) -> Response:
        """Show what a cancellation would pay back, before it is pressed."""
        owed = await self._shop.checkout.preview_cancel(order.order_id, ask.lines or [])
        key, wanted = (
            request.query_params.get("key"),
            {each.order_line_id: each.quantity for each in owed.goods},
        )
        return await self._pages.page(
            request,
            "cancel_preview.html",
            order=order,
            number=number_shown(order.number) or order.order_id,
            order_key=f"?key={key}" if key else "",
            lines=[(line, n) for line in order.lines if (n := wanted.get(line.order_line_id))],
            rest=any(
                line.quantity - line.cancelled > wanted.get(line.order_line_id, 0) for line in order.lines
            ),
            reason=ask.reason,
            owed=owed,
            sums=sums_of(owed),
            key=ask.once,
        )

    async def buy_again(self, request: Request) -> Response:
        """Put what was ordered into the cart, as far as it is for sale, and show it."""
        await self._pages.form(request)
        caller, key = await caller_of(request), request.query_params.get("key")
        order = await order_of(self._shop, caller, id_of(request.path_params["order_id"], OrderId), key)
        wanted: dict[OfferId, int] = {}
        for line in order.lines:
            wanted[line.offer_id] = min(wanted.get(line.offer_id, 0) + line.quantity, QUANTITY_MAX)
        caller = caller or await guest_session(request, self._shop.accounts)
        lines = [Line(offer_id, quantity) for offer_id, quantity in wanted.items()]
        left_out = await self._shop.cart.add_missing(caller.user_id, lines, chosen_country(request))
        return self._pages.redirect(request, f"/cart?left_out={left_out}" if left_out else "/cart")


def _fetched(order: Order, names: Mapping[SellerId, str]) -> dict[PickupPoint, list[str]]:
    """List where parts of an order are fetched, each point with the sellers who send there."""
    found: dict[PickupPoint, list[str]] = {}
    for part in order.parts:
        if point := pickup_of(part):
            found.setdefault(point, []).append(names.get(part.seller_id, "the seller"))
    return found


_SAID = {
    "confirmed": "Ordered and paid",
    "refunded": "Money was paid back",
    "shipped": "A parcel was shipped",
    "delivered": "A parcel arrived",
    "return_asked": "You asked to send something back",
    "return_approved": "A return was approved",
    "return_refused": "A return was refused",
    "return_dropped": "A return was closed",
    "return_sent": "You sent something back",
    "returned": "Something came back",
    "return_refunded": "What came back was paid back",
}


def _said(past: Happening, senders: dict[str, str], names: dict[SellerId, str], *, is_end: bool) -> str:
    """Say what happened, and who did it where that is not plain; `is_end`: nothing of the order is left."""
    sender = senders.get(str(past.detail.get("shipment_id")))
    match past.what:
        case "shipped" if sender:
            return f"{sender} shipped a parcel"
        case "delivered" if sender:
            return f"The parcel from {sender} arrived"
        case "cancelled":
            sellers = [names.get(part["seller_id"], "") for part in past.detail.get("parts", [])]
            seller = " and ".join(filter(None, sellers)) or "A seller"
            who = {"shopper": "You", "seller": seller}.get(past.who, "The shop")
            return f"{who} cancelled {'the order' if is_end else 'something'}"
        case _:
            return _SAID.get(past.what, rendering.state(past.what))


def _way(order: Order, shipments: list[Shipment], names: dict[SellerId, str]) -> list[TimelineStep]:
    """List what happened to the order, and what is still to come."""
    senders = {str(each.shipment_id): names.get(each.seller_id, "") for each in shipments}
    ends = [past for past in order.history if past.what == "cancelled" and order.status == "cancelled"][-1:]
    steps = [
        TimelineStep(
            _said(past, senders, names, is_end=past in ends),
            past.at,
            tone="bad" if past.what == "cancelled" else "",
        )
        for past in order.history
    ] or [TimelineStep("Ordered and paid", order.created_at)]
    promised = f"Expected {rendering.day(order.estimated_delivery)}" if order.estimated_delivery else ""
    if order.status in ("confirmed", "partially_shipped"):
        steps.append(TimelineStep("Everything shipped", tone="next"))
    if order.status in ("confirmed", "partially_shipped", "shipped"):
        steps.append(TimelineStep("Delivered", more=promised, tone="next"))
    if order.status == "delivered" and not any(line.returned or line.coming_back for line in order.lines):
        steps.append(TimelineStep("Everything is there"))
    return steps


def _parcels(order: Order, shipments: list[Shipment], names: dict[SellerId, str]) -> list[ParcelView]:
    """List each parcel with its way, then what each seller still has to ship."""
    lines = {line.order_line_id: line for line in order.lines}
    parcels: list[ParcelView] = []
    for shipment in shipments:
        inside = [_shown(lines[each.order_line_id], each.quantity) for each in shipment.lines]
        name = names.get(shipment.seller_id, "the seller")
        parcels.append(
            ParcelView(
                f"Parcel from {name}",
                shipment.status,
                shipment.carrier,
                shipment.tracking_number,
                tracking_url(shipment.carrier, shipment.tracking_number),
                inside,
                _parcel_way(shipment),
            )
        )
    if order.status in ("cancelled", "delivered"):
        return parcels
    open_by_seller: dict[SellerId, list[dict[str, Any]]] = {}
    for line in order.lines:
        if line.left:
            open_by_seller.setdefault(line.seller_id, []).append(_shown(line, line.left))
    for seller_id, left in open_by_seller.items():
        name = names.get(seller_id, "the seller")
        parcels.append(ParcelView(f"{name} is packing this", "preparing", "", "", None, left, []))
    return parcels


def _parcel_way(shipment: Shipment) -> list[TimelineStep]:
    steps = [
        TimelineStep(
            rendering.state(event.status),
            event.at,
            event.location or "",
            "bad" if event.status == "exception" else "",
        )
        for event in sorted(shipment.events, key=lambda event: event.at)
    ]
    passed = [event.status for event in shipment.events if event.status in PARCEL_WAY]
    come = max((PARCEL_WAY.index(status) for status in passed), default=-1)
    return steps + [TimelineStep(rendering.state(status), tone="next") for status in PARCEL_WAY[come + 1 :]]


def _shown(line: OrderLineView, quantity: int) -> dict[str, Any]:
    return {
        "product_id": line.product_id,
        "title": line.title,
        "image_url": line.image_url,
        "quantity": quantity,
    }


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    orders = OrderPages(pages, shop)
    return [
        pages.route("/orders/find", orders.find),
        pages.route("/orders/find", orders.send_letter, "POST"),
        pages.route("/orders", orders.orders),
        pages.route("/orders/{order_id}", orders.order),
        pages.route("/orders/{order_id}/cancel", orders.cancel, "POST"),
        pages.route("/orders/{order_id}/again", orders.buy_again, "POST"),
    ]
