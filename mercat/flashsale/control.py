"""What an operator sees of a sale and does to it; each act is kept with who did it and why."""

import asyncio
from typing import Any

import asyncpg

from mercat.checkout import Checkout
from mercat.flashsale.messages import Act, NotPossible, PastAct, Sale, SaleOverview
from mercat.flashsale.sales import Sales, name_of
from mercat.ids import OfferId
from mercat.inventory import Inventory
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid
from mercat.kit.rpc import Caller

queries = sql.load("mercat.flashsale")
_ACTS_MAX = 200
_ACTS_SHOWN = 30
_LATELY_S = 10.0


class SaleControl:
    """Control running sales."""

    def __init__(self, db: asyncpg.Pool, sales: Sales, inventory: Inventory, checkout: Checkout) -> None:
        self._db = db
        self._sales = sales
        self._inventory = inventory
        self._checkout = checkout

    async def act(self, caller: Caller, sale_id: str, act: Act) -> Sale:
        """Start a sale now, pause, resume or end it, or give it another rate, ceiling or more units."""
        row = await self._sales.row(sale_id)
        if (act.amount is None) == (act.what in ("rate", "ceiling", "units")):
            raise Invalid("Say how many, where a number is changed.", pointer="/amount")
        if act.what in ("ceiling", "units") and not act.amount:
            raise Invalid("This must be at least 1.", pointer="/amount")
        if act.what == "units":
            offer_id = OfferId(row["offer_id"])
            stock = (await self._inventory.stock([offer_id])).get(offer_id)
            spare = (stock.available if stock else 0) - (row["units"] - row["sold"])
            if spare < (act.amount or 0):
                raise NotPossible(f"Only {max(spare, 0)} more are in stock.", available=max(spare, 0))
        done = await self._db.fetchval(
            queries.act, sale_id, name_of(caller), act.what, act.amount, act.why, clock.now()
        )
        if done is None:
            raise NotPossible
        self._sales.look_again()
        row = await self._sales.row(sale_id)
        if row["price"] is not None and act.what == "end":
            await self._sales.ask_no_price(row)
        if row["price"] is not None and act.what == "start":
            await self._sales.ask_price(row)
        return await self._sales.sale(sale_id)

    async def overview(self, sale_id: str) -> SaleOverview:
        """Answer what the control room shows."""
        row = await self._sales.row(sale_id)
        counts: Any = await self._db.fetchrow(queries.counts, sale_id)
        health, acts = await asyncio.gather(self._checkout.health(_LATELY_S), self.acts(sale_id))
        return SaleOverview(
            sale=await self._sales.sale(sale_id),
            rate=row["rate"],
            ceiling=row["ceiling"],
            issued=counts["waiting"],
            claimed=counts["claimed"],
            used=counts["used"],
            lapsed=counts["lapsed"],
            health=health,
            acts=acts[:_ACTS_SHOWN],
        )

    async def acts(self, sale_id: str) -> list[PastAct]:
        """Answer what was done to a sale, by whom and why, the latest first."""
        return sql.rows(PastAct, await self._db.fetch(queries.actions, sale_id, _ACTS_MAX))
