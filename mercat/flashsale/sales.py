"""Sales and their plan: making one, and the documents that everybody who waits reads."""

import asyncio
import secrets
from typing import Any

import asyncpg

from mercat import money
from mercat.catalog import Catalog
from mercat.flashsale import rules
from mercat.flashsale.messages import NewSale, Sale, SaleExists, SaleOffer, Signed
from mercat.flashsale.sale_store import SaleStore
from mercat.flashsale.signature import Signer
from mercat.ids import OfferId, ProductId
from mercat.inventory import Inventory
from mercat.kit import clock, codec, sql
from mercat.kit.refusals import Invalid, NotFound
from mercat.kit.rpc import Caller
from mercat.kit.snapshot import Snapshot

queries = sql.load("mercat.flashsale")
_FRESH_S = 0.5
_STALE_S = 30.0
_SALE_ID_MAX = 40


class Sales:
    """Make sales, and know how each stands: as of half a second ago, however many ask."""

    def __init__(
        self, db: asyncpg.Pool, store: SaleStore, catalog: Catalog, inventory: Inventory, signer: Signer
    ) -> None:
        self._db = db
        self._store = store
        self._catalog = catalog
        self._inventory = inventory
        self._signer = signer
        self._documents: dict[str, tuple[Any, Signed]] = {}
        self._standing: Snapshot[dict[str, Any]] = Snapshot(self._read, _FRESH_S, keeps_s=_STALE_S)

    async def create(self, sale: NewSale) -> Sale:
        """Plan a sale. Its offer is sold in it alone from now on, until the sale ends."""
        offers, stock = await asyncio.gather(
            self._catalog.offers([sale.offer_id]), self._inventory.stock([sale.offer_id])
        )
        offer = offers.get(sale.offer_id)
        if offer is None:
            raise NotFound("There is no such offer.", pointer="/offer_id")
        if sale.price is not None and sale.price >= offer.regular_price:
            raise Invalid("A flash sale's price is below the regular one.", pointer="/price")
        available = stock[sale.offer_id].available if sale.offer_id in stock else 0
        if available < sale.units:
            raise Invalid(f"Only {available} are in stock.", pointer="/units", available=available)
        made = await self._db.fetchval(
            queries.create,
            sale.sale_id,
            sale.offer_id,
            offer.product_id,
            offer.title,
            sale.units,
            sale.per_person,
            sale.per_card,
            sale.per_address,
            sale.queue,
            sale.members_only,
            sale.rate,
            sale.ceiling,
            sale.window_s,
            secrets.token_bytes(32),
            sale.starts_at,
            sale.ends_at,
            clock.now(),
            sale.price,
            offer.regular_price,
            offer.currency,
        )
        if made is None:
            raise SaleExists
        if sale.price is not None:
            await self.ask_price(await self._db.fetchrow(queries.sale, sale.sale_id))
        await self._store.open_line(sale.sale_id)
        self.look_again()
        return await self.sale(sale.sale_id)

    async def ask_price(self, row: Any) -> None:
        """Have the catalogue ask the price of a sale while it lasts; again it changes nothing."""
        begins_at = row["opened_at"] or row["starts_at"]
        offer_id = OfferId(row["offer_id"])
        await self._catalog.set_flash_price(offer_id, row["sale_id"], row["price"], begins_at, row["ends_at"])
        await self._db.execute(queries.priced, row["sale_id"], True)

    async def ask_no_price(self, row: Any) -> None:
        """Have the catalogue ask the regular price again; once more changes nothing."""
        await self._catalog.end_flash_price(OfferId(row["offer_id"]), row["sale_id"])
        await self._db.execute(queries.priced, row["sale_id"], False)

    async def keep_priced(self) -> None:
        """Do what a process did not come to that made or ended a sale."""
        for row in await self._db.fetch(queries.wrongly_priced):
            await (self.ask_no_price(row) if row["state"] == "ended" else self.ask_price(row))

    async def sales(self) -> list[Sale]:
        """Answer the sales that are not over, and those that ended within the hour."""
        return [_sale(row) for row in (await self.rows()).values()]

    async def sale(self, sale_id: str) -> Sale:
        """Answer the document that everybody who waits reads."""
        return _sale(await self.row(sale_id))

    async def sale_offers(self) -> list[SaleOffer]:
        """Answer the offers that are sold in sales alone."""
        return [
            SaleOffer(OfferId(row["offer_id"]), row["sale_id"], rules.state_of(row), row["queue"])
            for row in (await self.rows()).values()
            if row["state"] != "ended"
        ]

    async def document(self, sale_id: str) -> Signed:
        """Answer a sale's document as bytes, signed: whoever gets it from a cache can trust it."""
        row = await self.row(sale_id)
        kept = self._documents.get(sale_id)
        if kept is None or kept[0] is not row:
            body = codec.encode(_sale(row))
            kept = self._documents[sale_id] = (row, Signed(body, self._signer.sign(body), self._signer.key))
        return kept[1]

    async def switched_off(self) -> list[str]:
        """Answer what the shop does without at the moment, for a sale's sake."""
        now = clock.now()
        rows = [row for row in (await self.rows()).values() if rules.switches_hold(row, now)]
        return sorted({name for row in rows for name in row["switched_off"]})

    async def switch_off(self, caller: Caller, sale_id: str, names: list[str]) -> None:
        """Have the shop do without these until the sale ends; none: with all again."""
        if not await self._db.fetchval(queries.switch_off, sale_id, names):
            raise NotFound("There is no such sale.")
        why = f"Without {', '.join(names)}." if names else "With everything again."
        await self._db.execute(queries.note, sale_id, name_of(caller), "switch", why)
        self.look_again()

    async def row(self, sale_id: str) -> Any:
        """Answer a sale's row, from the view where it is there; NotFound."""
        row = (await self.rows()).get(sale_id)
        if row is None:
            row = await self._db.fetchrow(queries.sale, sale_id) if len(sale_id) <= _SALE_ID_MAX else None
            if row is None:
                raise NotFound("There is no such sale.")
        return row

    async def rows(self) -> dict[str, Any]:
        """Answer all sales by id, read at most twice a second by a process, however many ask; five times
        while the last units of one are being paid for."""
        return await self._standing.get()

    def known(self, sale_id: str) -> Any:
        """Answer a sale's row as it was last read, or None."""
        return (self._standing.known or {}).get(sale_id)

    def look_again(self) -> None:
        """Read the sales anew when they are next asked for in this process."""
        self._standing.forget()

    async def _read(self) -> dict[str, Any]:
        rows = {row["sale_id"]: row for row in await self._db.fetch(queries.standing)}
        self._standing.fresh_s = rules.SOON_S if any(map(rules.all_promised, rows.values())) else _FRESH_S
        return rows


def name_of(caller: Caller) -> str:
    """Name an operator in what is kept of their acts."""
    return caller.email or caller.name or str(caller.user_id)


def _sale(row: Any) -> Sale:
    drawn = row["drawn"] is not None
    return Sale(
        sale_id=row["sale_id"],
        title=row["title"],
        product_id=ProductId(row["product_id"]),
        offer_id=OfferId(row["offer_id"]),
        state=rules.state_of(row),
        starts_at=row["starts_at"],
        ends_at=row["ends_at"],
        serving=row["serving"],
        joined=row["joined"],
        rate=round(row["rate"] * row["pace"], 2),
        left=row["units"] - row["sold"],
        promised=row["taken"] - row["sold"],
        units=row["units"],
        per_person=row["per_person"],
        window_s=row["window_s"],
        queue=row["queue"],
        members_only=row["members_only"],
        commitment=row["commitment"].hex(),
        drawn=row["drawn"],
        seed=row["seed"].hex() if drawn else None,
        roll=row["roll"].hex() if drawn else None,
        price=_decimal(row, "price"),
        was_price=_decimal(row, "was_price"),
        currency=row["currency"] if row["price"] else None,
    )


def _decimal(row: Any, name: str) -> float | None:
    """Return an amount as the public document says it."""
    return money.shown(row[name], row["currency"]) if row["price"] else None
