"""Sellers' prices for variants: as they are now, a seller's own, and changing one."""

from collections.abc import Sequence
from typing import Any

import asyncpg
import msgspec

from mercat import ids
from mercat.catalog.changes import Changes
from mercat.catalog.messages import (
    Changed,
    ListingKey,
    NewOffer,
    Offer,
    OfferExists,
    OfferSort,
    OfferStanding,
    SkuTaken,
    Status,
)
from mercat.catalog.rules import RivalOffer, check_for_sale, fingerprint, standing_of
from mercat.catalog.variants import gtin_of
from mercat.ids import OfferId, ProductId, SellerId, SkuId
from mercat.kit import sql
from mercat.kit.batching import Coalescer
from mercat.kit.refusals import Invalid, KeyReused, NotFound
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

    async def offer_product(
        self, seller_id: SellerId, seller_name: str, offer: NewOffer, key: ListingKey | None = None
    ) -> Changed:
        """Offer what another seller lists, for sale when this returns. The commit tells OffersListed, which
        brings the stock whatever becomes of the caller.

        NotFound where nothing is meant, Invalid where several variants are, OfferExists where the seller has
        an offer for it, SkuTaken where they have another with this SKU. The same `key` again changes
        nothing."""
        check_for_sale("active", offer.price, self._currency, self._currency)
        gtin = None if offer.gtin is None else gtin_of(offer.gtin, "/gtin")
        product_id, sku_id = await self._meant(offer, gtin)
        new, reference = ids.new(OfferId), f"listed/{int(ids.new(OfferId))}"
        async with self._db.acquire() as db, db.transaction():
            if key is not None:
                content = fingerprint(offer)
                if not await db.fetchval(
                    queries.add_listing_key, seller_id, key, content, product_id, sku_id, new
                ):
                    before: Any = await db.fetchrow(queries.listed_by_key, seller_id, key)
                    if before["content"] != content:
                        raise KeyReused
                    return Changed(offers=[OfferId(before["offer_id"])])
            await db.fetch(queries.lock, [product_id])
            given = (new, sku_id, product_id, seller_id, seller_name, offer.price, self._currency)
            try:
                added = await db.fetchval(
                    queries.add_offer, *given, offer.sku, offer.condition, offer.quantity > 0
                )
            except asyncpg.UniqueViolationError:
                raise SkuTaken(pointer="/sku") from None
            if added is None:
                raise OfferExists(pointer="/product_id")
            await db.execute(queries.tell, [product_id])
            await db.execute(queries.tell_stock, reference, seller_id, [added], [offer.quantity])
        await self._changes.clear_caches([product_id])
        return Changed(reference, {OfferId(added): offer.quantity}, [OfferId(added)])

    async def _meant(self, offer: NewOffer, gtin: str | None) -> tuple[ProductId, SkuId]:
        if offer.product_id is None and gtin is None:
            raise Invalid("Say which product, or which barcode (GTIN).", pointer="/product_id")
        rows = await self._db.fetch(queries.offered_variants, offer.product_id, gtin, offer.sku_id)
        if not rows:
            named = "/sku_id" if offer.sku_id else "/product_id" if offer.product_id else "/gtin"
            raise NotFound("There is no such product to offer.", pointer=named)
        if len(rows) > 1:
            raise Invalid("This has several variants. Say which one you have.", pointer="/sku_id")
        return ProductId(rows[0]["product_id"]), SkuId(rows[0]["sku_id"])

    async def offer_standing(self, seller_id: SellerId, offer_id: OfferId) -> OfferStanding:
        """Say whether a seller's offer is the one that its variant shows, why, and what price would win."""
        rows = await self._db.fetch(queries.rivals, offer_id, seller_id)
        if not rows:
            raise NotFound("You have no such offer.")
        return standing_of([RivalOffer(*row.values()) for row in rows])

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
        row["hidden_because"],
    )
