"""Sellers' prices for variants: as they are now, a seller's own, and changing one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import asyncpg
import msgspec
from msgspec import UnsetType

from mercat import ids
from mercat.catalog.changes import Changes
from mercat.catalog.messages import (
    Changed,
    InFlashSale,
    ListingKey,
    NewOffer,
    Offer,
    OfferExists,
    OfferSort,
    OfferStanding,
    OfferTerms,
    QuantityRules,
    SalePrice,
    SkuTaken,
    Status,
)
from mercat.catalog.rules import (
    RivalOffer,
    check_for_sale,
    check_quantity_rules,
    check_reduction,
    fingerprint,
    priced,
    standing_of,
    standing_sale,
)
from mercat.catalog.variants import gtin_of
from mercat.ids import CategoryId, OfferId, ProductId, SellerId, SkuId
from mercat.kit import clock, codec, sql
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
            rows = await self._db.fetch(queries.of_seller, *asked, None)
        else:
            rows = await self._db.fetch(queries.of_seller_by_price, *asked, 1 if sort == "cheapest" else -1)
        now = clock.now()
        return [offer_of(row, now) for row in rows]

    async def featured(self, product_id: ProductId) -> OfferId:
        """Answer the offer that is bought when a product is; NotFound where nothing of it is for sale."""
        offer_id = await self._db.fetchval(queries.featured, product_id, clock.now())
        if offer_id is None:
            raise NotFound("There is no such product for sale.", pointer="/product_id")
        return OfferId(offer_id)

    async def change_offer(
        self,
        seller_id: SellerId,
        offer_id: OfferId,
        price: int | None = None,
        status: str | None = None,
        terms: OfferTerms | None = None,
    ) -> Offer:
        """Give a seller's offer another price, sale or status, known everywhere at once.

        Invalid where the sale reduces nothing, ends before it begins, or the price is compared with less."""
        now = clock.now()
        async with self._db.acquire() as db, db.transaction():
            product_id = await db.fetchval(queries.lock_of_offer, offer_id, seller_id)
            if product_id is None:
                raise NotFound("You have no such offer.")
            standing = (await self._read_many([[offer_id]], db))[0][offer_id]
            wanted = msgspec.structs.replace(
                standing,
                status=status or standing.status,
                regular_price=standing.regular_price if price is None else price,
                currency=standing.currency if price is None else self._currency,
            )
            changed = with_terms(wanted, terms or OfferTerms(), now)
            if changed == standing:
                return standing
            check_for_sale(changed.status, changed.regular_price, changed.currency, self._currency)
            await db.execute(
                queries.change_offer,
                offer_id,
                changed.regular_price,
                changed.compare_at_price,
                *sale_columns(changed.sale),
                changed.status,
                changed.currency,
                now,
                rules_column(changed.quantity_rules),
            )
            await db.execute(queries.tell, [product_id], now)
        await self._changes.clear_caches([ProductId(product_id)])
        return changed

    async def set_flash_price(
        self,
        offer_id: OfferId,
        sale_id: str,
        price: int,
        begins_at: datetime,
        ends_at: datetime | None = None,
    ) -> None:
        """Ask a flash sale's price of an offer while it lasts; again it changes nothing but the times.

        Invalid where that is not below the regular price, or the offer is in another flash sale."""
        now = clock.now()
        async with self._db.acquire() as db, db.transaction():
            product_id = await db.fetchval(queries.lock_offered, offer_id)
            asked = (offer_id, sale_id, price, begins_at, ends_at, now)
            if not await db.fetchval(queries.set_flash_price, *asked):
                raise Invalid("A flash sale's price is below the regular one.", pointer="/price")
            await db.execute(queries.tell, [product_id], now)
        await self._changes.clear_caches([ProductId(product_id)])

    async def end_flash_price(self, offer_id: OfferId, sale_id: str) -> None:
        """Ask an offer's own price again; once more changes nothing."""
        now = clock.now()
        async with self._db.acquire() as db, db.transaction():
            product_id = await db.fetchval(queries.lock_offered, offer_id)
            if not await db.fetchval(queries.end_flash_price, offer_id, sale_id, now):
                return
            await db.execute(queries.tell, [product_id], now)
        await self._changes.clear_caches([ProductId(product_id)])

    async def offer_product(
        self, seller_id: SellerId, seller_name: str, offer: NewOffer, key: ListingKey | None = None
    ) -> Changed:
        """Offer what another seller lists, for sale when this returns. The commit tells OffersListed, which
        brings the stock whatever becomes of the caller.

        NotFound where nothing is meant, Invalid where several variants are, OfferExists where the seller has
        an offer for it, SkuTaken where they have another with this SKU. The same `key` again changes
        nothing."""
        check_for_sale("active", offer.price, self._currency, self._currency)
        check_reduction(offer.price, offer.compare_at_price, offer.sale)
        check_quantity_rules(offer.quantity_rules)
        now = clock.now()
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
                    queries.add_offer,
                    *given,
                    offer.sku,
                    offer.condition,
                    offer.quantity > 0,
                    offer.compare_at_price,
                    *sale_columns(offer.sale),
                    now,
                    rules_column(offer.quantity_rules),
                )
            except asyncpg.UniqueViolationError:
                raise SkuTaken(pointer="/sku") from None
            if added is None:
                raise OfferExists(pointer="/product_id")
            await db.execute(queries.tell, [product_id], now)
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
        rows = await self._db.fetch(queries.rivals, offer_id, seller_id, clock.now())
        if not rows:
            raise NotFound("You have no such offer.")
        return standing_of([RivalOffer(*row.values()) for row in rows])

    async def _read_many(
        self, asks: Sequence[Sequence[OfferId]], db: Any = None
    ) -> list[dict[OfferId, Offer]]:
        wanted = list({offer_id for ask in asks for offer_id in ask})
        rows = await (db or self._db).fetch(queries.offers, wanted)
        now = clock.now()
        found = {row["offer_id"]: offer_of(row, now) for row in rows}
        if db is None:  # for shoppers: what they cannot buy now
            closed = {row["offer_id"] for row in rows if row["closed"] and row["status"] == "active"}
            found |= {each: msgspec.structs.replace(found[each], status="paused") for each in closed}
        return [{offer_id: found[offer_id] for offer_id in ask if offer_id in found} for ask in asks]


def named(title: str, options: str) -> str:
    """Name a variant: its product's title, and what is chosen, which is JSON."""
    if options == "{}":
        return title
    return f"{title} ({', '.join(msgspec.json.decode(options, type=dict[str, str]).values())})"


def sale_columns(sale: SalePrice | None) -> tuple[Any, Any, Any]:
    """Return a sale as its columns: price, beginning, end."""
    return (sale.price, sale.begins_at, sale.ends_at) if sale else (None, None, None)


def rules_column(rules: QuantityRules | None) -> str | None:
    """Return rules of quantity as their column, JSON."""
    return codec.text(rules) if rules else None


def with_terms(wanted: Offer, terms: OfferTerms, now: datetime) -> Offer:
    """Return an offer with its terms as they shall be; Invalid where its reduction is none."""
    price, compared, sale = wanted.regular_price, terms.compare_at_price, terms.sale
    if isinstance(sale, UnsetType):
        sale = standing_sale(price, wanted.sale, now)
    elif wanted.flash and sale != wanted.sale:
        raise InFlashSale(pointer="/sale")
    if isinstance(compared, UnsetType):
        check_reduction(price, None, sale)
        compared = wanted.compare_at_price
    else:
        check_reduction(price, compared, sale)
    rules = terms.quantity_rules
    if isinstance(rules, UnsetType):
        rules = wanted.quantity_rules
    else:
        check_quantity_rules(rules)
    paid, was_price, flips_at = priced(price, compared, sale, now)
    return msgspec.structs.replace(
        wanted,
        price=paid,
        compare_at_price=compared,
        sale=sale,
        was_price=was_price,
        flips_at=flips_at,
        quantity_rules=rules,
    )


def offer_of(row: Any, now: datetime) -> Offer:
    """Read an offer as it is at a time."""
    sale = row["sale_price"] and SalePrice(
        price=row["sale_price"], begins_at=row["sale_from"], ends_at=row["sale_until"]
    )
    paid, was_price, flips_at = priced(row["price"], row["compare_at_price"], sale, now)
    title = named(row["title"], row["options"])
    return Offer(
        OfferId(row["offer_id"]),
        ProductId(row["product_id"]),
        SkuId(row["sku_id"]),
        SellerId(row["seller_id"]),
        row["seller_name"],
        title,
        paid,
        row["currency"],
        row["status"],
        row["in_stock"],
        row["image_url"],
        row["hidden_because"],
        row["slugs"],
        row["brand"],
        row["tags"],
        row["weight_g"],
        row["tax_class"],
        row["price"],
        row["compare_at_price"],
        sale,
        was_price,
        flips_at,
        codec.decode(row["quantity_rules"], QuantityRules) if row["quantity_rules"] else None,
        row["flash"],
        CategoryId(row["category_id"]),
        row["condition"],
    )
