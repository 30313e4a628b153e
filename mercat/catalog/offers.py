"""Sellers' prices for variants: as they are now, a seller's own, and changing one."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from mercat.catalog.changes import Changes
from mercat.catalog.messages import Offer, OfferSort, Status
from mercat.catalog.rules import check_for_sale
from mercat.ids import OfferId, ProductId, SellerId, SkuId
from mercat.kit import sql
from mercat.kit.batching import Coalescer
from mercat.kit.refusals import NotFound
from mercat.settings import Settings

queries = sql.load("mercat.catalog")


class Offers:
    """Read and change offers; whoever changes one locks its product first."""

    def __init__(self, db: asyncpg.Pool, changes: Changes, settings: Settings) -> None:
        self._db = db
        self._changes = changes
        self._currency = settings.currency
        self._read: Coalescer[Sequence[OfferId], dict[OfferId, Offer]] = Coalescer(
            self._read_many, batch_max=2_000, weigh=len
        )

    async def offers(self, offer_ids: list[OfferId]) -> dict[OfferId, Offer]:
        """Answer offers as they are now, from the database; many callers, one statement."""
        return await self._read(offer_ids)

    async def of_seller(
        self,
        seller_id: SellerId,
        after: OfferId | None = None,
        limit: int = 50,
        words: str = "",
        status: Status | None = None,
        sort: OfferSort = "newest",
    ) -> list[Offer]:
        """Answer a seller's offers: those with these words, or parts of them, in the title."""
        asked = (seller_id, after, status, words.lower().split(), limit)
        if sort == "newest":
            rows = await self._db.fetch(queries.of_seller, *asked)
        else:
            rows = await self._db.fetch(queries.of_seller_by_price, *asked, 1 if sort == "cheapest" else -1)
        return [_offer(row) for row in rows]

    async def featured(self, product_id: ProductId) -> OfferId:
        """Answer the offer that is bought when a product is; NotFound where nothing of it is for sale."""
        offer_id = await self._db.fetchval(queries.featured, product_id)
        if offer_id is None:
            raise NotFound("There is no such product for sale.", pointer="/product_id")
        return OfferId(offer_id)

    async def change_offer(
        self, seller_id: SellerId, offer_id: OfferId, price: int | None = None, status: str | None = None
    ) -> Offer:
        """Give a seller's offer a new price or status, known everywhere at once."""
        async with self._db.acquire() as db, db.transaction():
            product_id = await db.fetchval(queries.lock_of_offer, offer_id, seller_id)
            if product_id is None:
                raise NotFound("You have no such offer.")
            standing = (await self._read_many([[offer_id]], db))[0][offer_id]
            changed = msgspec.structs.replace(
                standing,
                price=standing.price if price is None else price,
                currency=standing.currency if price is None else self._currency,
                status=status or standing.status,
            )
            if changed == standing:
                return standing
            check_for_sale(changed.status, changed.price, changed.currency, self._currency)
            await db.execute(queries.change_offer, offer_id, changed.price, changed.status, changed.currency)
            await db.execute(queries.tell, [product_id])
        await self._changes.clear_caches([ProductId(product_id)])
        return changed

    async def _read_many(
        self, asks: Sequence[Sequence[OfferId]], db: Any = None
    ) -> list[dict[OfferId, Offer]]:
        wanted = list({offer_id for ask in asks for offer_id in ask})
        rows = await (db or self._db).fetch(queries.offers, wanted)
        found = {row["offer_id"]: _offer(row) for row in rows}
        if db is None:  # for shoppers: what they cannot buy now
            closed = {row["offer_id"] for row in rows if row["closed"] and row["status"] == "active"}
            found |= {each: msgspec.structs.replace(found[each], status="paused") for each in closed}
        return [{offer_id: found[offer_id] for offer_id in ask if offer_id in found} for ask in asks]


def _offer(row: Any) -> Offer:
    options = row["options"]
    title = row["title"]
    if options != "{}":
        title += " (" + ", ".join(msgspec.json.decode(options, type=dict[str, str]).values()) + ")"
    return Offer(
        OfferId(row["offer_id"]),
        ProductId(row["product_id"]),
        SkuId(row["sku_id"]),
        SellerId(row["seller_id"]),
        row["seller_name"],
        title,
        row["price"],
        row["currency"],
        row["status"],
        row["in_stock"],
        row["image_url"],
    )
