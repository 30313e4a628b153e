"""Orders after they are placed: the list, one order with every parcel on its way, cancelling."""

import asyncio
from datetime import date, datetime
from typing import Any, NamedTuple

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.fulfilment import Shipment
from mercat.ids import LineId, OfferId, OrderId, PaymentId, ProductId, RefundId, SellerId
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.orders import Order, OrderLineView
from mercat.payments import Payment
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.errors import RefusalMessage
from mercat.web.forms import id_of, number_in
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, Cursor, PageLimit, PageNumber
from mercat.web.session import caller_of
from mercat.web.shipments import PARCEL_WAY, ShipmentShown, shipment_shown

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
    status: str
    total: Amount
    currency: str
    created_at: datetime
    item_count: int
    title: str
    image_url: str


class OrdersShown(Struct, frozen=True):
    orders: list[OrderSummaryShown]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None


class OrderLineShown(Struct, frozen=True, kw_only=True):
    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    title: str
    image_url: str
    quantity: int
    shipped: int
    returned: int
    unit_price: Amount
    total: Amount


class RefundShown(Struct, frozen=True):
    refund_id: RefundId
    amount: Amount
    status: str


class PaymentShown(Struct, frozen=True, kw_only=True):
    payment_id: PaymentId
    status: str
    amount: Amount
    currency: str
    refunds: list[RefundShown]


class OrderEventShown(Struct, frozen=True):
    status: str
    by: str
    at: datetime


class OrderShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    status: str
    subtotal: Amount
    discount: Amount
    shipping: Amount
    tax: Amount
    total: Amount
    currency: str
    shipping_method: str
    estimated_delivery: date | None
    shipping_address: dict[str, str]
    created_at: datetime
    lines: list[OrderLineShown]
    payments: list[PaymentShown]
    shipments: list[ShipmentShown]
    history: list[OrderEventShown]


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

    async def order(self, caller: Caller, order_id: OrderId) -> OrderShown:
        """Show one of one's own orders: lines, payments, parcels and all that happened."""
        return await self._whole(await own_order(self._shop, caller, order_id))

    async def cancel(self, caller: Caller, order_id: OrderId) -> OrderShown:
        """Cancel an order that has not begun to ship, and pay it back. Again changes nothing."""
        return await self._whole(await self._shop.checkout.cancel(caller, order_id))

    async def _whole(self, order: Order) -> OrderShown:
        payments, shipments = await _what_followed(self._shop, order.order_id)
        currency = order.currency
        return OrderShown(
            order_id=order.order_id,
            status=order.status,
            subtotal=money.shown(order.subtotal, currency),
            discount=money.shown(order.discount, currency),
            shipping=money.shown(order.shipping, currency),
            tax=money.shown(order.tax, currency),
            total=money.shown(order.total, currency),
            currency=currency,
            shipping_method=order.shipping_method,
            estimated_delivery=order.estimated_delivery,
            shipping_address=order.address,
            created_at=order.created_at,
            lines=[
                OrderLineShown(
                    order_line_id=line.order_line_id,
                    product_id=line.product_id,
                    offer_id=line.offer_id,
                    seller_id=line.seller_id,
                    title=line.title,
                    image_url=line.image_url,
                    quantity=line.quantity,
                    shipped=line.shipped,
                    returned=line.returned,
                    unit_price=money.shown(line.unit_price, currency),
                    total=money.shown(line.total, currency),
                )
                for line in order.lines
            ],
            payments=[_payment_shown(payment) for payment in payments],
            shipments=[shipment_shown(shipment) for shipment in shipments],
            history=[OrderEventShown(past.what, past.who, past.at) for past in order.history],
        )


def _payment_shown(payment: Payment) -> PaymentShown:
    currency = payment.currency
    return PaymentShown(
        payment_id=payment.payment_id,
        status=payment.status,
        amount=money.shown(payment.amount, currency),
        currency=currency,
        refunds=[
            RefundShown(refund.refund_id, money.shown(refund.amount, currency), refund.status)
            for refund in payment.refunds
        ],
    )


async def own_order(shop: Shop, caller: Caller, order_id: OrderId) -> Order:
    """Read one of one's own orders, a guest's before they had an account included; raise NotFound else."""
    return await shop.orders.order(order_id, await shop.checkout.people(caller))


async def _what_followed(shop: Shop, order_id: OrderId) -> tuple[list[Payment], list[Shipment]]:
    """Read an order's payments and parcels."""
    return await asyncio.gather(shop.payments.of_order(order_id), shop.fulfilment.of_order(order_id))


API = [
    PublicRoute("GET", "/orders", OrdersApi.orders, tag="Buying", needs="guest"),
    PublicRoute("GET", "/orders/{order_id}", OrdersApi.order, tag="Buying", needs="guest"),
    PublicRoute(
        "POST",
        "/orders/{order_id}/cancel",
        OrdersApi.cancel,
        tag="Buying",
        needs="guest",
        status=200,
        refuses=["not_cancellable"],
    ),
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
        )

    async def order(
        self,
        request: Request,
        refused: RefusalMessage | None = None,
        status: int = 200,
    ) -> Response:
        caller = await caller_of(request)
        order_id: OrderId = id_of(request.path_params["order_id"], OrderId)
        if caller is None:
            return self._pages.redirect(request, f"/signin?next=/orders/{order_id}")
        order = await own_order(self._shop, caller, order_id)
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
            seen=seen,
            payments=payments,
            headline=_HEADLINES.get(order.status, rendering.state(order.status)),
            thanks=request.query_params.get("placed") == "1" and order.status != "cancelled",
            email=order.email,
            moving=order.status in ("confirmed", "partially_shipped", "shipped"),
            parcels=_parcels(order, shipments, names),
            cancellable=order.status == "confirmed",
            returnable=any(line.delivered > line.returned + line.coming_back for line in order.lines),
            returns=returns,
            way=_way(order),
            refused=refused,
        )

    async def cancel(self, request: Request) -> Response:
        await self._pages.form(request)
        caller = await caller_of(request)
        order_id = id_of(request.path_params["order_id"], OrderId)
        if caller is None:
            return self._pages.redirect(request, "/orders")
        try:
            await self._shop.checkout.cancel(caller, order_id)
        except Refusal as refusal:
            words = RefusalMessage(
                "This order was not cancelled",
                str(refusal),
                "Nothing was refunded; what you paid stays paid.",
                "When it has arrived you can return it.",
            )
            return await self.order(request, words, refusal.status)
        return self._pages.redirect(request, f"/orders/{order_id}")


def _way(order: Order) -> list[TimelineStep]:
    """List what happened to the order, and what is still to come."""
    said = {
        "confirmed": "Ordered and paid",
        "cancelled": "Cancelled",
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
    steps = [
        TimelineStep(
            said.get(past.what, rendering.state(past.what)),
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
    if order.status == "delivered":
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
                inside,
                _parcel_way(shipment),
            )
        )
    if order.status in ("cancelled", "delivered"):
        return parcels
    open_by_seller: dict[SellerId, list[dict[str, Any]]] = {}
    for line in order.lines:
        if line.quantity > line.shipped:
            open_by_seller.setdefault(line.seller_id, []).append(_shown(line, line.quantity - line.shipped))
    for seller_id, left in open_by_seller.items():
        name = names.get(seller_id, "the seller")
        parcels.append(ParcelView(f"{name} is packing this", "preparing", "", "", left, []))
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
        pages.route("/orders", orders.orders),
        pages.route("/orders/{order_id}", orders.order),
        pages.route("/orders/{order_id}/cancel", orders.cancel, "POST"),
    ]
