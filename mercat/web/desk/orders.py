"""A seller's orders: what to pack, parcels, and where they are."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast, get_args
from urllib.parse import urlencode

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat import ids, money
from mercat.checkout import Ship, Track
from mercat.fulfilment import ParcelStatus, PickupPoint, SellerOrder, SellerSort, SellerStatus, SellerTab
from mercat.ids import LineId, OfferId, OrderId, ProductId, SellerId, ShipmentId, parse_number
from mercat.kit.refusals import Refusal
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.desk.page import A_PAGE, DONE, desk_page, seller_of
from mercat.web.desk.products import seller_id_of
from mercat.web.errors import RefusalMessage, message_of
from mercat.web.forms import Form, FormErrors, id_of, read_form
from mercat.web.order_shown import numbers_of, pickup_of
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, PageLimit
from mercat.web.shipments import PARCEL_WAY, PackedQuantity, ShipmentShown, read_packed, shipment_shown
from mercat.web.table_query import (
    AFTER,
    CHOICE_MAX,
    TableQuery,
    as_csv,
    choice,
    every,
    headings,
    link,
    tabs,
)

_ALL, _BACK = "all", "returns"
_TABS: dict[str, str] = {
    "to_pack": "To pack",
    "shipped": "Shipped",
    _BACK: "Returns",
    "done": "Done",
    _ALL: "All",
}
_SORTS: tuple[SellerSort, ...] = get_args(SellerSort)
_COLUMNS = [("placed", "Placed"), ("promised", "Promised for")]
_ORDERS: dict[str, tuple[str, ...]] = {
    "status": (*get_args(SellerTab), _ALL, *get_args(SellerStatus)),
    "q": (),
    "sort": _SORTS,
}
_OPEN_RETURNS = ("requested", "approved", "in_transit")


class SellerLineShown(Struct, frozen=True, kw_only=True):
    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    title: str
    quantity: int
    shipped: int
    cancelled: int
    unit_price: Amount
    total: Amount


class SellerOrderShown(Struct, frozen=True, kw_only=True):
    order_id: OrderId
    number: str | None
    """What people say; None of an order that is not there any more."""
    status: str
    created_at: datetime
    currency: str
    lines: list[SellerLineShown]
    shipping_address: dict[str, str]
    pickup: PickupPoint | None
    """Where its shopper fetches it, if it is not brought."""
    estimated_delivery: str
    shipments: list[ShipmentShown]


class SellerOrdersShown(Struct, frozen=True):
    orders: list[SellerOrderShown]
    next_cursor: str | None


class ShipmentMade(Struct, frozen=True):
    shipment_id: ShipmentId


class SellerOrdersApi:
    """A seller's orders and parcels."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def seller_orders(
        self,
        caller: Caller,
        status: SellerStatus | None = None,
        limit: PageLimit = 20,
        cursor: OrderId | None = None,
    ) -> SellerOrdersShown:
        """List orders with something of one's own in them: those lines, and where they go."""
        orders = await self._shop.fulfilment.orders_of_seller(seller_id_of(caller), status, cursor, limit)
        numbers = await numbers_of(self._shop, (order.order_id for order in orders))
        return SellerOrdersShown(
            [_order_shown(order, numbers.get(order.order_id)) for order in orders],
            str(orders[-1].order_id) if len(orders) == limit else None,
        )

    async def ship(self, caller: Caller, parcel: Ship) -> ShipmentMade:
        """Hand a parcel over to a carrier."""
        return ShipmentMade((await self._shop.checkout.ship(caller, parcel)).shipment_id)

    async def parcel_seen(self, caller: Caller, shipment_id: ShipmentId, seen: Track) -> ShipmentShown:
        """Say where a parcel has come to; it never goes back."""
        return shipment_shown(await self._shop.checkout.track(caller, shipment_id, seen))


def _order_shown(order: SellerOrder, number: str | None) -> SellerOrderShown:
    currency = order.currency
    return SellerOrderShown(
        order_id=order.order_id,
        number=number,
        status=order.status,
        created_at=order.placed_at,
        currency=currency,
        lines=[
            SellerLineShown(
                order_line_id=line.order_line_id,
                product_id=line.product_id,
                offer_id=line.offer_id,
                title=line.title,
                quantity=line.quantity,
                shipped=line.shipped,
                cancelled=line.cancelled,
                unit_price=money.shown(line.unit_price, currency),
                total=money.shown(line.total, currency),
            )
            for line in order.lines
        ],
        shipping_address=order.address,
        pickup=pickup_of(order),
        estimated_delivery=order.estimated_delivery,
        shipments=[shipment_shown(shipment) for shipment in order.shipments],
    )


API = [
    PublicRoute(
        "GET",
        "/seller/orders",
        SellerOrdersApi.seller_orders,
        tag="Selling",
        needs="seller",
        scopes=["orders:read"],
    ),
    PublicRoute(
        "POST",
        "/seller/shipments",
        SellerOrdersApi.ship,
        tag="Selling",
        needs="seller",
        scopes=["orders:write"],
        refuses=["not_found", "not_shippable"],
    ),
    PublicRoute(
        "POST",
        "/seller/shipments/{shipment_id}/events",
        SellerOrdersApi.parcel_seen,
        tag="Selling",
        needs="seller",
        scopes=["orders:write"],
        refuses=["out_of_order"],
    ),
]


class SellerOrderPages:
    """A seller's orders as a table, and shipping."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def orders(
        self,
        request: Request,
        refused: RefusalMessage | None = None,
        status: int = 200,
        ship_form: Form | None = None,
        track_form: Form | None = None,
        back: str = "",
    ) -> Response:
        _, seller_id = await seller_of(request)
        query: str | Mapping[str, str] = request.query_params if request.method == "GET" else back
        chosen, after = choice(query, _ORDERS), choice(query, AFTER).get("after", "")
        orders = await self._orders(seller_id, chosen, id_of(after, OrderId) if after else None, A_PAGE)
        last = orders[-1].order_id if len(orders) == A_PAGE else None
        counts = await self._shop.fulfilment.counts_of_seller(seller_id)
        numbers = await numbers_of(self._shop, (order.order_id for order in orders))
        returned = await self._shop.returns.counts(seller_id)
        counts[_BACK] = sum(returned.get(each, 0) for each in _OPEN_RETURNS)
        return await desk_page(
            self._pages,
            self._shop,
            request,
            "orders",
            seller_id,
            status,
            orders=[_order_row(order, numbers) for order in orders],
            chosen=chosen,
            back=urlencode(chosen | choice(query, AFTER)),
            asked=bool(chosen.get("q")),
            words_max=CHOICE_MAX,
            tabs=[
                each._replace(url="/desk/returns") if value == _BACK else each
                for value, each in zip(
                    _TABS, tabs("/desk/orders", chosen, "status", _TABS, counts), strict=True
                )
            ],
            headings=headings("/desk/orders", chosen, _COLUMNS, _SORTS),
            more=link("/desk/orders", chosen, after=last) if last else None,
            file=link("/desk/orders.csv", chosen),
            said=DONE.get(request.query_params.get("said", "")),
            ship_form=ship_form or Form((Ship, PackedQuantity)),
            track_form=track_form or Form(Track),
            refused=refused,
        )

    async def export(self, request: Request) -> Response:
        """Send the seller's orders as a CSV file, a row a line: those that the table would show."""
        _, seller_id = await seller_of(request)
        chosen = choice(request.query_params, _ORDERS)

        async def page(last: SellerOrder | None, limit: int) -> list[SellerOrder]:
            return await self._orders(seller_id, chosen, last.order_id if last else None, limit)

        rows = (cells async for order in every(page) for cells in _cells(order))
        return as_csv("orders.csv", _HEAD, rows)

    async def _orders(
        self, seller_id: SellerId, chosen: TableQuery, after: OrderId | None, limit: int
    ) -> list[SellerOrder]:
        words, status = chosen.get("q", ""), chosen.get("status", next(iter(_TABS)))
        return await self._shop.fulfilment.orders_of_seller(
            seller_id,
            None if status == _ALL else cast(SellerTab | SellerStatus, status),
            after,
            limit,
            words,
            cast(SellerSort, chosen.get("sort", _SORTS[0])),
            await self._meant(words),
        )

    async def _meant(self, words: str) -> OrderId | None:
        """Find the order that is meant by its number or its id; whose it is, the list decides."""
        try:
            return ids.parse(OrderId, words)
        except ValueError:
            number = parse_number(words) if words else None
        found = await self._shop.orders.among([], number) if number else []
        return found[0].order_id if found else None

    async def ship(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller, _ = await seller_of(request)
        order_id = id_of(request.path_params["order_id"], OrderId)
        back = form.get("back", "")
        asked = read_packed(form, Ship, "Pack at least one thing.", order_id=str(order_id))
        if isinstance(asked, FormErrors):
            shown = Form((Ship, PackedQuantity), form, asked, at=order_id)
            return await self.orders(request, None, 422, ship_form=shown, back=back)
        try:
            await self._shop.checkout.ship(caller, asked)
        except Refusal as refused:
            shown = Form((Ship, PackedQuantity), form, at=order_id)
            return await self.orders(request, message_of(refused), refused.status, ship_form=shown, back=back)
        return self._pages.redirect(request, _back_to(back, "shipped"))

    async def mark(self, request: Request) -> Response:
        form = await self._pages.form(request)
        caller, _ = await seller_of(request)
        shipment_id = id_of(request.path_params["shipment_id"], ShipmentId)
        back = form.get("back", "")
        seen = read_form(form, Track)
        if isinstance(seen, FormErrors):
            shown = Form(Track, form, seen, at=shipment_id)
            return await self.orders(request, None, 422, track_form=shown, back=back)
        try:
            await self._shop.checkout.track(caller, shipment_id, seen)
        except Refusal as refused:
            shown = Form(Track, form, at=shipment_id)
            return await self.orders(
                request, message_of(refused), refused.status, track_form=shown, back=back
            )
        return self._pages.redirect(request, _back_to(back, "marked"))


_HEAD = [
    "order_id",
    "placed_at",
    "status",
    "promised_for",
    "to",
    "city",
    "country",
    "title",
    "quantity",
    "shipped",
    "cancelled",
    "unit_price",
    "currency",
    "pickup_name",
    "pickup_address",
]


def _cells(order: SellerOrder) -> list[list[Any]]:
    to = [order.address.get(name, "") for name in ("name", "city", "country")]
    head = [order.order_id, order.placed_at, order.status, order.estimated_delivery, *to]
    return [
        [
            *head,
            line.title,
            line.quantity,
            line.shipped,
            line.cancelled,
            rendering.decimal(line.unit_price, order.currency),
            order.currency,
            order.pickup_name,
            order.pickup_address,
        ]
        for line in order.lines
    ]


def _order_row(order: SellerOrder, numbers: Mapping[int, str]) -> dict[str, Any]:
    """Show an order as the packing table needs it: what is left to ship, and what each parcel may do next."""
    lines = [
        {
            "order_line_id": line.order_line_id,
            "title": line.title,
            "quantity": line.quantity,
            "left": max(0, line.quantity - line.cancelled - line.shipped)
            if order.status != "cancelled"
            else 0,
        }
        for line in order.lines
    ]
    return {
        "order_id": order.order_id,
        "number": numbers.get(order.order_id) or rendering.short(order.order_id),
        "placed_at": order.placed_at,
        "status": order.status,
        "address": order.address,
        "pickup": pickup_of(order),
        "estimated_delivery": order.estimated_delivery,
        "lines": lines,
        "open": any(line["left"] for line in lines),
        "shipments": [
            {
                "shipment_id": parcel.shipment_id,
                "carrier": parcel.carrier,
                "tracking_number": parcel.tracking_number,
                "status": parcel.status,
                "next": [(status, rendering.state(status)) for status in _following(parcel.status)],
            }
            for parcel in order.shipments
        ],
    }


def _back_to(back: str, said: str) -> str:
    """Lead back to the list that was shown, which says what was done."""
    return link("/desk/orders", choice(back, _ORDERS | AFTER), said=said)


def _following(status: ParcelStatus) -> list[ParcelStatus]:
    """List what may become of a parcel next; an exception may be followed by any."""
    if status == PARCEL_WAY[-1]:
        return []
    come = PARCEL_WAY.index(status) if status in PARCEL_WAY else 0
    return [*PARCEL_WAY[come + 1 :], "exception"]


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    desk = SellerOrderPages(pages, shop)
    return [
        pages.route("/desk/orders", desk.orders),
        pages.route("/desk/orders.csv", desk.export),
        pages.route("/desk/orders/{order_id}/ship", desk.ship, "POST"),
        pages.route("/desk/shipments/{shipment_id}", desk.mark, "POST"),
    ]
