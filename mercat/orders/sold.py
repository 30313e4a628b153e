"""Orders as reports count them: by line, as at ordering, and what was taken back since."""

from datetime import datetime
from typing import Any

import asyncpg
from msgspec import Struct

from mercat.events import OrderPlaced
from mercat.ids import LineId, OfferId, OrderId, ProductId, SellerId
from mercat.kit import codec, sql
from mercat.orders import rules
from mercat.orders.messages import SoldLine, SoldOrder, UnitsMoved
from mercat.orders.moved import amounts_of, decided

queries = sql.load("mercat.orders")
_BEFORE_ALL = -1


class _Line(Struct, frozen=True):
    order_line_id: LineId
    product_id: ProductId
    offer_id: OfferId
    seller_id: SellerId
    quantity: int
    unit_price: int
    discount: int = 0
    seller_discount: int = 0
    tax: int | None = None
    shop_tax: int = 0


class _Move(Struct, frozen=True):
    reference: str
    what: str
    at: datetime
    detail: str


class SoldOrders:
    """Read what was sold, for who adds it up."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def sold(self, order_ids: list[OrderId]) -> list[SoldOrder]:
        """Answer these orders by line, as at ordering, and what was cancelled, taken back or refunded since.

        Orders that were given up before they were made are left out."""
        known = [(order_id.bucket, int(order_id)) for order_id in order_ids]
        return [_sold(row) for row in await self._db.fetch(queries.sold, *sql.columns(known, 2))]

    async def sold_after(self, after: OrderId | None = None, limit: int = 500) -> list[SoldOrder]:
        """Answer every order, a page at a time; `after`: the last one of the page before."""
        place = (after.bucket, int(after)) if after is not None else (_BEFORE_ALL, 0)
        rows = await self._db.fetch(queries.orders_after, *place, limit)
        found = {order.order_id: order for order in await self.sold([OrderId(row[1]) for row in rows])}
        return [found[row[1]] for row in rows if row[1] in found]


def sold_as_placed(placed: OrderPlaced) -> SoldOrder:
    """Answer an order as reports count it from the news of it alone: nothing was taken back yet."""
    amounts, lines = rules.as_placed(placed)
    shares = rules.sold_lines(amounts, lines)
    return SoldOrder(
        order_id=placed.order_id,
        user_id=placed.user_id,
        currency=placed.currency,
        country=placed.address.get("country", ""),
        channel=placed.channel,
        tax_included=placed.tax_included,
        placed_at=placed.placed_at,
        lines=[
            SoldLine(
                order_line_id=line_id,
                product_id=line.product_id,
                offer_id=line.offer_id,
                seller_id=line.seller_id,
                quantity=line.quantity,
                gross=shares[line_id].price,
                discount=shares[line_id].discount,
                tax=shares[line_id].tax,
                shipping=shares[line_id].shipping,
            )
            for line_id, line in lines.items()
        ],
    )


def _sold(row: Any) -> SoldOrder:
    lines = codec.decode(row["lines"] or "[]", list[_Line])
    state = rules.OrderState(row["status"], amounts_of(row), _states(lines), {})
    shares = rules.sold_lines(state.amounts, state.lines)
    moves = codec.decode(row["moves"], list[_Move])
    return SoldOrder(
        order_id=OrderId(row["order_id"]),
        user_id=row["user_id"],
        currency=row["currency"],
        country=row["country"],
        channel=row["channel"],
        tax_included=row["tax_included"],
        placed_at=row["placed_at"],
        lines=[_line(line, shares[line.order_line_id]) for line in lines],
        moves=[
            UnitsMoved(
                reference=move.reference,
                what=move.what,
                at=move.at,
                owed=decided({"what": move.what, "detail": move.detail}, state),
            )
            for move in moves
        ],
    )


def _states(lines: list[_Line]) -> rules.Lines:
    return {
        line.order_line_id: rules.LineState(
            line.offer_id,
            line.seller_id,
            line.quantity,
            0,
            0,
            0,
            line.unit_price,
            product_id=line.product_id,
            discount=line.discount,
            seller_discount=line.seller_discount,
            tax=line.tax,
            shop_tax=line.shop_tax,
        )
        for line in lines
    }


def _line(line: _Line, part: rules.Shares) -> SoldLine:
    return SoldLine(
        order_line_id=line.order_line_id,
        product_id=line.product_id,
        offer_id=line.offer_id,
        seller_id=line.seller_id,
        quantity=line.quantity,
        gross=part.price,
        discount=part.discount,
        tax=part.tax,
        shipping=part.shipping,
    )
