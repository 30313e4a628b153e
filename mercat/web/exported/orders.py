"""Orders taken out, a row a line of one: everybody's with all amounts, or what is a seller's of them."""

from collections.abc import AsyncIterator
from typing import Any

from mercat.fulfilment import SellerOrder
from mercat.ids import OrderId, SellerId, number_shown
from mercat.orders import Order, Part
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.order_shown import numbers_of
from mercat.web.table_query import csv_lines

_PAGE = 200
_ADDRESS = ["name", "line1", "line2", "city", "region", "postal_code", "country", "phone"]
_ORDER = ["order_id", "number", "placed_at", "status", "email", "currency"]
_AMOUNTS = ["subtotal", "discount", "shipping", "tax", "total"]
_DELIVERY = ["shipping_method", "estimated_delivery"]
_LINE = ["order_line_id", "product_id", "offer_id", "seller_id", "title", "unit_price", "line_total"]
_PICKUP = ["pickup_name", "pickup_address"]
_UNITS = ["quantity", "cancelled", "shipped", "delivered", "returned", "refunded"]
_SELLERS = ["order_id", "number", "placed_at", "status", "estimated_delivery", "currency"]
_SELLERS_LINE = ["order_line_id", "product_id", "offer_id", "title", "unit_price", "line_total"]
_SELLERS_UNITS = ["quantity", "cancelled", "shipped"]


async def table(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[bytes]:
    """Write orders as CSV. Amounts of an order stand in its first row alone, so that they can be added."""
    if seller_id is None:
        head, amounts, line = [*_ORDER, *_AMOUNTS, *_DELIVERY], _AMOUNTS, [*_LINE, *_UNITS, *_PICKUP]
    else:
        head, amounts, line = _SELLERS, [], [*_SELLERS_LINE, *_SELLERS_UNITS, *_PICKUP]
    rows = (
        [
            *("" if n and name in amounts else order[name] for name in head),
            *(order["address"].get(name, "") for name in _ADDRESS),
            *(each[name] for name in line),
        ]
        async for order in objects(shop, seller_id)
        for n, each in enumerate(order["lines"])
    )
    async for lines in csv_lines([*head, *_ADDRESS, *line], rows):
        yield lines


async def objects(shop: Shop, seller_id: SellerId | None) -> AsyncIterator[dict[str, Any]]:
    """Yield orders with their lines, the newest first."""
    if seller_id is None:
        before: OrderId | None = None
        while page := await shop.orders.exported(before, _PAGE):
            for order in page:
                yield _shown(order)
            before = page[-1].order_id
    else:
        after: OrderId | None = None
        while sold := await shop.fulfilment.orders_of_seller(seller_id, None, after, _PAGE):
            numbers = await numbers_of(shop, (part.order_id for part in sold))
            for part in sold:
                yield _part_shown(part, numbers.get(part.order_id, ""))
            after = sold[-1].order_id


def _shown(order: Order) -> dict[str, Any]:
    def amount(minor: int) -> str:
        return rendering.decimal(minor, order.currency)

    fetched = {part.seller_id: _fetched(part) for part in order.parts}
    return {
        "order_id": str(order.order_id),
        "number": number_shown(order.number),
        "placed_at": order.created_at.isoformat(),
        "status": order.status,
        "email": order.email,
        "currency": order.currency,
        **{name: amount(getattr(order, name)) for name in _AMOUNTS},
        "shipping_method": order.shipping_method,
        "estimated_delivery": order.estimated_delivery.isoformat() if order.estimated_delivery else "",
        "address": order.address,
        "lines": [
            {
                "order_line_id": str(line.order_line_id),
                "product_id": str(line.product_id),
                "offer_id": str(line.offer_id),
                "seller_id": str(line.seller_id),
                "title": line.title,
                "unit_price": amount(line.unit_price),
                "line_total": amount(line.total),
                **{name: getattr(line, name) for name in _UNITS},
                **fetched[line.seller_id],
            }
            for line in order.lines
        ],
    }


def _part_shown(order: SellerOrder, number: str) -> dict[str, Any]:
    return {
        "order_id": str(order.order_id),
        "number": number,
        "placed_at": order.placed_at.isoformat(),
        "status": order.status,
        "estimated_delivery": order.estimated_delivery,
        "currency": order.currency,
        "address": order.address,
        "lines": [
            {
                "order_line_id": str(line.order_line_id),
                "product_id": str(line.product_id),
                "offer_id": str(line.offer_id),
                "title": line.title,
                "unit_price": rendering.decimal(line.unit_price, order.currency),
                "line_total": rendering.decimal(line.total, order.currency),
                **{name: getattr(line, name) for name in _SELLERS_UNITS},
                **_fetched(order),
            }
            for line in order.lines
        ],
    }


def _fetched(part: Part | SellerOrder) -> dict[str, str]:
    return {name: getattr(part, name) for name in _PICKUP}
