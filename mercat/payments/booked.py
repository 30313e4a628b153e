"""What the journal says of orders, for who adds it up."""

from typing import Any

import asyncpg

from mercat.ids import OrderId, SellerId
from mercat.kit import codec, sql
from mercat.payments.messages import BookedOrder, RefundBooked

queries = sql.load("mercat.payments")
_SELLER = "seller:"


class BookedOrders:
    """Read the journal by order."""

    def __init__(self, db: asyncpg.Pool) -> None:
        self._db = db

    async def booked(self, order_ids: list[OrderId]) -> list[BookedOrder]:
        """Answer what was booked for these orders: the commission, and the refunds that were paid.

        An order of several payments has one answer, of all of them together."""
        found: dict[OrderId, BookedOrder] = {}
        for row in await self._db.fetch(queries.booked, order_ids):
            order_id = OrderId(row["order_id"])
            before = found.get(order_id) or BookedOrder(order_id=order_id, commission=0)
            found[order_id] = _with(before, row)
        return list(found.values())


def _with(before: BookedOrder, row: Any) -> BookedOrder:
    postings = dict(zip(row["accounts"], row["amounts"], strict=True))
    commissions = dict(before.commissions)
    for account, gross in codec.decode(row["parts"], dict[str, int]).items():
        if account.startswith(_SELLER):
            seller_id = SellerId(int(account.removeprefix(_SELLER)))
            kept = gross + postings.get(account, 0)
            commissions[seller_id] = commissions.get(seller_id, 0) + kept
    return BookedOrder(
        order_id=before.order_id,
        commission=before.commission - postings.get("commission", 0),
        commissions=commissions,
        refunds=[*before.refunds, *codec.decode(row["refunds"], list[RefundBooked])],
    )
