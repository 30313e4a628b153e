"""Orders after they are placed: the list, and one order as a timeline with every parcel's way."""

import asyncio
from datetime import datetime
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mercat.checkout import Return
from mercat.fulfilment import Shipment
from mercat.ids import OrderId, SellerId
from mercat.kit import codec
from mercat.kit.refusals import Conflict, Invalid, Refusal
from mercat.orders import Order, OrderLineView
from mercat.services import Services
from mercat.web import rendering as render
from mercat.web.pages import Trouble, Visits, number, shown_id

_A_PAGE = 20
_PAGES_MAX = 1_000
_WAY = ("shipped", "in_transit", "out_for_delivery", "delivered")
_HEADLINES = {
    "confirmed": "Being packed",
    "partially_shipped": "Partly on its way",
    "shipped": "On its way",
    "delivered": "Delivered",
    "cancelled": "Cancelled and refunded",
}


class Step(NamedTuple):
    """A point of a timeline: passed, to come (`next`), or bad."""

    words: str
    at: datetime | None = None
    more: str = ""
    tone: str = ""


class Parcel(NamedTuple):
    title: str
    status: str
    carrier: str
    tracking_number: str
    lines: list[dict[str, Any]]
    way: list[Step]


class Tracking:
    def __init__(self, visits: Visits, shop: Services) -> None:
        self._visits = visits
        self._shop = shop

    async def orders(self, request: Request) -> Response:
        caller = await self._visits.caller(request)
        page = number(request.query_params.get("page"), 1, 1, _PAGES_MAX)
        orders, total = [], 0
        if caller:
            people = await self._shop.checkout.people(caller)
            found = await self._shop.orders.list_of(people, page, _A_PAGE)
            orders, total = found.orders, found.total
        return await self._visits.page(
            request,
            "orders.html",
            orders=orders,
            page=page,
            pages=max(1, -(-total // _A_PAGE)),
            page_url=lambda n: f"/orders?page={n}",
            guest=caller is None or caller.guest,
        )

    async def order(self, request: Request, refused: Trouble | None = None, status: int = 200) -> Response:
        caller = await self._visits.caller(request)
        order_id: OrderId = shown_id(request.path_params["order_id"], OrderId)
        if caller is None:
            return self._visits.go(request, f"/signin?next=/orders/{order_id}")
        order = await self._shop.orders.order(order_id, await self._shop.checkout.people(caller))
        payments, shipments = await asyncio.gather(
            self._shop.payments.of_order(order_id), self._shop.fulfilment.of_order(order_id)
        )
        events = sum(len(each.events) for each in shipments)
        seen = f"{order.status}-{events}-{sum(len(each.refunds) for each in payments)}"
        if request.query_params.get("seen") == seen and request.headers.get("hx-request"):
            return Response(status_code=204, headers={"Cache-Control": "private, no-store"})
        names = await self._shop.sellers.names(list({line.seller_id for line in order.lines}))
        return await self._visits.page(
            request,
            "order.html",
            status,
            order=order,
            seen=seen,
            payments=payments,
            headline=_HEADLINES.get(order.status, render.state(order.status)),
            thanks=request.query_params.get("placed") == "1" and order.status != "cancelled",
            email=order.email,
            moving=order.status in ("confirmed", "partially_shipped", "shipped"),
            parcels=_parcels(order, shipments, names),
            cancellable=order.status == "confirmed",
            returnable=[] if order.status == "cancelled" else _returnable(order),
            returned=_returned(order),
            way=_way(order),
            refused=refused,
        )

    async def cancel(self, request: Request) -> Response:
        await self._visits.form(request)
        caller = await self._visits.caller(request)
        order_id = shown_id(request.path_params["order_id"], OrderId)
        if caller is None:
            return self._visits.go(request, "/orders")
        try:
            await self._shop.checkout.cancel(caller, order_id)
        except Refusal as refusal:
            words = Trouble(
                "This order was not cancelled",
                str(refusal),
                "Nothing was refunded; what you paid stays paid.",
                "When it has arrived you can return it.",
            )
            return await self.order(request, words, refusal.status)
        return self._visits.go(request, f"/orders/{order_id}")

    async def send_back(self, request: Request) -> Response:
        form = await self._visits.form(request)
        caller = await self._visits.caller(request)
        order_id = shown_id(request.path_params["order_id"], OrderId)
        if caller is None:
            return self._visits.go(request, "/orders")
        order = await self._shop.orders.order(order_id, await self._shop.checkout.people(caller))
        try:
            if form.get("returned") != str(_returned(order)):
                raise Conflict(
                    "Something was returned since this page was opened. Look at the order as it is."
                )
            lines = [
                {"order_line_id": line.order_line_id, "quantity": quantity}
                for line, most in _returnable(order)
                if (quantity := number(form.get(f"q-{line.order_line_id}"), 0, 0, most))
            ]
            if not lines:
                raise Invalid("Say how many of what you send back.")
            ask = codec.convert({"lines": lines, "reason": form.get("reason", "")[:1_000]}, Return)
            await self._shop.checkout.return_(caller, order_id, ask)
        except Refusal as refusal:
            words = Trouble(
                "Nothing was returned",
                str(refusal),
                "Nothing was refunded by this; what was refunded before stays so.",
                "Look at the order below, then try again.",
            )
            return await self.order(request, words, refusal.status)
        return self._visits.go(request, f"/orders/{order_id}")


def pages(visits: Visits, shop: Services) -> list[Route]:
    tracking = Tracking(visits, shop)
    return [
        visits.route("/orders", tracking.orders),
        visits.route("/orders/{order_id}", tracking.order),
        visits.route("/orders/{order_id}/cancel", tracking.cancel, "POST"),
        visits.route("/orders/{order_id}/return", tracking.send_back, "POST"),
    ]


def _returnable(order: Order) -> list[tuple[OrderLineView, int]]:
    """Lines of which something is out and has not come back, and how many of each."""
    return [(line, line.shipped - line.returned) for line in order.lines if line.shipped > line.returned]


def _returned(order: Order) -> int:
    return sum(line.returned for line in order.lines)


def _way(order: Order) -> list[Step]:
    """What happened to the order, and what is still to come."""
    said = {
        "confirmed": "Ordered and paid",
        "cancelled": "Cancelled",
        "shipped": "A parcel was shipped",
        "delivered": "A parcel arrived",
        "returned": "Something was returned",
    }
    steps = [
        Step(
            said.get(past.what, render.state(past.what)),
            past.at,
            tone="bad" if past.what == "cancelled" else "",
        )
        for past in order.history
    ] or [Step("Ordered and paid", order.created_at)]
    promised = f"Expected {render.day(order.estimated_delivery)}" if order.estimated_delivery else ""
    if order.status in ("confirmed", "partially_shipped"):
        steps.append(Step("Everything shipped", tone="next"))
    if order.status in ("confirmed", "partially_shipped", "shipped"):
        steps.append(Step("Delivered", more=promised, tone="next"))
    if order.status == "delivered":
        steps.append(Step("Everything is there"))
    return steps


def _parcels(order: Order, shipments: list[Shipment], names: dict[SellerId, str]) -> list[Parcel]:
    """Each parcel with its way, then what each seller still has to ship."""
    lines = {line.order_line_id: line for line in order.lines}
    parcels: list[Parcel] = []
    for shipment in shipments:
        inside = [_shown(lines[each.order_line_id], each.quantity) for each in shipment.lines]
        name = names.get(shipment.seller_id, "the seller")
        parcels.append(
            Parcel(
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
        parcels.append(Parcel(f"{name} is packing this", "preparing", "", "", left, []))
    return parcels


def _parcel_way(shipment: Shipment) -> list[Step]:
    steps = [
        Step(
            render.state(event.status),
            event.at,
            event.location or "",
            "bad" if event.status == "exception" else "",
        )
        for event in sorted(shipment.events, key=lambda event: event.at)
    ]
    passed = [event.status for event in shipment.events if event.status in _WAY]
    come = max((_WAY.index(status) for status in passed), default=-1)
    return steps + [Step(render.state(status), tone="next") for status in _WAY[come + 1 :]]


def _shown(line: OrderLineView, quantity: int) -> dict[str, Any]:
    return {
        "product_id": line.product_id,
        "title": line.title,
        "image_url": line.image_url,
        "quantity": quantity,
    }
