"""Sellers' products: listing one, reading it to change it, changing it, taking it out."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from msgspec import UNSET, UnsetType, structs

from mercat import ids
from mercat.catalog.categories import Categories
from mercat.catalog.changes import Changes
from mercat.catalog.messages import (
    TEXTS,
    Attribute,
    Changed,
    GivenTexts,
    GivenVariant,
    Image,
    Listed,
    ListedProduct,
    ListedVariant,
    Listing,
    ListingKey,
    ListingStatus,
    NewProduct,
    ProductChange,
    SkuTaken,
    texts_of,
)
from mercat.catalog.offers import sale_columns
from mercat.catalog.rules import check_for_sale, drawn_images, fingerprint, kept_texts
from mercat.catalog.variants import (
    PlannedVariant,
    Selling,
    as_before,
    choices_of,
    in_order,
    keys_of,
    planned,
    status_of,
)
from mercat.events import StockQuantity
from mercat.ids import CategoryId, OfferId, ProductId, SellerId, SkuId
from mercat.kit import clock, codec, sql
from mercat.kit.refusals import Gone, Invalid, KeyReused, NotFound, Stale
from mercat.settings import Settings

queries = sql.load("mercat.catalog")


class _Owner(NamedTuple):
    """Whose product is written."""

    product_id: ProductId
    seller_id: SellerId
    seller_name: str


class Listings:
    """List and change sellers' products; each change is told in its own commit."""

    def __init__(
        self, db: asyncpg.Pool, categories: Categories, changes: Changes, settings: Settings
    ) -> None:
        self._db = db
        self._categories = categories
        self._changes = changes
        self._currency = settings.currency
        self._fetches = settings.fetch_pictures

    async def create(
        self,
        seller_id: SellerId,
        seller_name: str,
        product: NewProduct,
        quantity: StockQuantity | None = None,
        key: ListingKey | None = None,
    ) -> Listed:
        """List a product with its variants, which are for sale when this returns.

        With a `quantity`, or variants that say theirs, the commit also tells OffersListed, which brings the
        stock to inventory's shelf whatever becomes of the caller. The same `key` again answers with what it
        listed; KeyReused where it listed something else, Invalid where the seller has a product with this
        external id, SkuTaken where they have an offer with this SKU."""
        check_for_sale("draft", product.price, product.currency, self._currency)
        selling = Selling(product.status, self._currency, product.currency, product.title, product.alts)
        alone = GivenVariant(
            price=product.price,
            compare_at_price=product.compare_at_price,
            sale=product.sale,
            quantity_rules=product.quantity_rules,
            quantity=UNSET if quantity is None else quantity,
            sku=product.sku,
            gtin=product.gtin,
            weight_g=product.weight_g,
        )
        at = "/variants" if product.variants else ""
        plan = planned([], product.variants or [alone], selling, at)
        options = choices_of([each.variant for each in plan], product.options or None)
        category_id = await self._categories.id_of(product.category)
        owner = _Owner(ids.new(ProductId), seller_id, seller_name)
        skus, offers = [each.variant.sku_id for each in plan], [each.variant.offer_id for each in plan]
        listed = Listed(owner.product_id, skus[0], offers[0], skus, offers)
        content = fingerprint((product, quantity))
        async with self._db.acquire() as db, db.transaction():
            if key is not None and not await db.fetchval(
                queries.add_listing_key, seller_id, key, content, *structs.astuple(listed)[:3]
            ):
                return await _listed_before(db, seller_id, key, content)
            await _insert(db, owner, product, category_id, options)
            await _write_variants(db, owner, plan, at)
            await self._tell(db, owner.product_id)
            stock = _units(plan)
            if stock:
                await _tell_stock(db, f"listed/{int(offers[0])}", seller_id, stock)
        return listed

    async def listing(self, seller_id: SellerId, product_id: ProductId) -> Listing:
        """Answer a seller's product as it stands, to be changed."""
        row = await self._db.fetchrow(queries.listing, product_id, seller_id)
        if row is None:
            raise NotFound("You have no such product.")
        return _listing(row)

    async def listings(
        self,
        seller_id: SellerId,
        after: ProductId | None = None,
        limit: int = 50,
        words: str = "",
        status: ListingStatus | None = None,
        category: str | None = None,
        sku: str | None = None,
    ) -> list[ListedProduct]:
        """Answer a seller's products, the newest first: those with these words in the title, of this category
        or below it, with this SKU; what is archived only where that is the status asked for."""
        asked = (seller_id, after, words.lower().split(), status, category, sku, limit)
        return sql.rows(ListedProduct, await self._db.fetch(queries.listings, *asked))

    async def change_product(
        self, seller_id: SellerId, product_id: ProductId, change: ProductChange, seen: str | None = None
    ) -> Changed:
        """Give a seller's product another title, text, picture or other variants, known everywhere at once.

        An import of the same source leaves it so, until the source says something else. `seen`: the mark of
        the listing that is changed; Stale where it is another one by now, unless it already is what is
        wanted. New variants bring their stock as `create` does. Gone where it is archived."""
        given: Any = change.category
        category_id = None if given is UNSET else await self._categories.id_of(given)
        async with self._db.acquire() as db, db.transaction():
            before, owner = await _locked(db, product_id, seller_id)
            if before.status == "archived":
                raise Gone("This product is archived. List it again as a new one.")
            plan = self._plan(before, change)
            texts = _texts(before, change)
            images = _images(before, change, product_id, str(texts[0]))
            options = _options(before, change, plan)
            attributes = before.attributes if change.attributes is UNSET else change.attributes
            changed = await db.fetchval(
                queries.change_product,
                product_id,
                *texts,
                category_id,
                codec.text(attributes),
                codec.text(images),
                codec.text(options),
                list(options),
            )
            if plan is not None:
                changed = await _write_variants(db, owner, plan, change.at) or changed
            if not changed:
                return Changed(offers=[each.variant.offer_id for each in plan or []])
            if seen is not None and before.mark != seen:
                raise Stale("This listing was changed meanwhile.")
            await self._tell(db, product_id)
            stock = {each.variant.offer_id: each.quantity or 0 for each in plan or [] if each.is_new}
            reference = f"listed/{int(next(iter(stock)))}" if stock else ""
            if stock:
                await _tell_stock(db, reference, seller_id, stock)
        await self._changes.clear_caches([product_id])
        return Changed(reference, stock, [each.variant.offer_id for each in plan or []])

    async def archive(self, seller_id: SellerId, product_id: ProductId) -> None:
        """Take all of a seller's offers for their product out for good; orders keep them. Again it changes
        nothing."""
        async with self._db.acquire() as db, db.transaction():
            await _locked(db, product_id, seller_id)
            if not await db.fetch(queries.archive_offers, product_id, seller_id, []):
                return
            await db.execute(queries.tell, [product_id], clock.now())
        await self._changes.clear_caches([product_id])

    async def _tell(self, db: PoolConnectionProxy, product_id: ProductId) -> None:
        """Tell of a product that was given, and have its pictures from elsewhere fetched."""
        await db.execute(queries.tell, [product_id], clock.now())
        if self._fetches:
            await db.execute(queries.note_pictures, [product_id])

    def _plan(self, before: Listing, change: ProductChange) -> list[PlannedVariant] | None:
        """Say which variants there will be; None where those that stand stay as they are."""
        if change.variants is UNSET and change.status is UNSET:
            return None
        given: Any = change.variants
        if given is UNSET:
            given = [GivenVariant(sku_id=each.sku_id) for each in before.variants]
        status: Any = None if change.status is UNSET else change.status
        title: Any = before.title if change.title is UNSET else change.title
        selling = Selling(status, self._currency, self._currency, title, change.alts)
        plan = planned(before.variants, given, selling, change.at)
        if status is not None or before.status == "active":
            return plan
        return [  # a new variant of what is a draft is one too
            each._replace(variant=structs.replace(each.variant, status=before.status))
            if each.is_new
            else each
            for each in plan
        ]


async def _locked(
    db: PoolConnectionProxy, product_id: ProductId, seller_id: SellerId
) -> tuple[Listing, _Owner]:
    if not await db.fetchval(queries.lock_own, product_id, seller_id):
        raise NotFound("You have no such product.")
    row: Any = await db.fetchrow(queries.listing, product_id, seller_id)
    return _listing(row), _Owner(product_id, seller_id, row["seller_name"])


def _texts(before: Listing, change: ProductChange) -> list[str | None]:
    """List the texts of a product as they shall be, in the order of ProductTexts; what is not given stays."""
    given: dict[str, Any] = {name: getattr(change, name) for name in GivenTexts.__struct_fields__}
    said = {name for name, value in given.items() if value is not UNSET}
    new = kept_texts(GivenTexts(**{name: given[name] if name in said else "" for name in given}))
    if "description" in said:
        said.add("description_html")
    return [getattr(new if name in said else before, name) for name in TEXTS]


def _images(before: Listing, change: ProductChange, product_id: ProductId, title: str) -> list[Image]:
    """List the pictures of a product as they shall be; one that stands keeps what is known of it, but for
    what is said of it to who cannot see it."""
    if isinstance(change.images, UnsetType):
        return before.images
    standing = {image.source: image for image in before.images} | {each.url: each for each in before.images}
    found = [standing.get(url) or Image(url, title) for url in change.images]
    images = [structs.replace(image, alt=change.alts.get(image.url) or image.alt) for image in found]
    return images or drawn_images(product_id, title, before.images)


def _options(
    before: Listing, change: ProductChange, plan: Sequence[PlannedVariant] | None
) -> dict[str, list[str]]:
    if change.variants is UNSET and isinstance(change.options, UnsetType):
        return before.options
    variants = before.variants if plan is None else [each.variant for each in plan]
    if not isinstance(change.options, UnsetType):
        return choices_of(variants, change.options)
    return as_before(choices_of(variants, None), before.options)


async def _tell_stock(
    db: PoolConnectionProxy, reference: str, seller_id: SellerId, stock: dict[OfferId, int]
) -> None:
    await db.execute(queries.tell_stock, reference, seller_id, list(stock), list(stock.values()))


def _units(plan: Sequence[PlannedVariant]) -> dict[OfferId, int]:
    """Count the units of each variant that says so."""
    return {each.variant.offer_id: each.quantity for each in plan if each.quantity is not None}


async def _listed_before(db: PoolConnectionProxy, seller_id: SellerId, key: str, content: bytes) -> Listed:
    row: Any = await db.fetchrow(queries.listed_by_key, seller_id, key)
    if row["content"] != content:
        raise KeyReused
    skus, offers = row["skus"] or [row["sku_id"]], row["offers"] or [row["offer_id"]]
    return Listed(
        ProductId(row["product_id"]),
        SkuId(row["sku_id"]),
        OfferId(row["offer_id"]),
        [*map(SkuId, skus)],
        [*map(OfferId, offers)],
    )


async def _insert(
    db: PoolConnectionProxy,
    owner: _Owner,
    product: NewProduct,
    category_id: CategoryId,
    options: dict[str, list[str]],
) -> None:
    texts = kept_texts(product)
    urls = product.images or [url for each in product.variants for url in (each.images or [])[:1]]
    images = [Image(url, product.alts.get(url) or texts.title) for url in dict.fromkeys(urls)]
    try:
        await db.execute(
            queries.add_product,
            owner.product_id,
            owner.seller_id,
            product.external_id,
            *texts_of(texts).values(),
            category_id,
            codec.text(product.attributes),
            codec.text(options),
            list(options),
            product.tags,
            codec.text(images or drawn_images(owner.product_id, texts.title)),
            clock.now(),
        )
    except asyncpg.UniqueViolationError:
        raise Invalid("You have a product with this external id.", pointer="/external_id") from None


async def _write_variants(
    db: PoolConnectionProxy, owner: _Owner, plan: Sequence[PlannedVariant], at: str
) -> bool:
    """Write the variants of a product, all of them; say whether anything is another than before."""
    variants = [each.variant for each in plan]
    offers, skus = [each.offer_id for each in variants], [each.sku for each in variants]
    keys = keys_of(variants)
    taken = await db.fetch(queries.taken_skus, owner.seller_id, owner.product_id, skus)
    if taken:
        n = min(skus.index(row["sku"]) for row in taken)
        raise SkuTaken(pointer=f"{at}/{n}/sku" if at else "/sku")
    archived = await db.fetch(queries.archive_offers, owner.product_id, owner.seller_id, offers)
    await db.execute(queries.free_keys, owner.product_id, [each.sku_id for each in variants], keys)
    await db.execute(queries.free_skus, owner.product_id, owner.seller_id, offers, skus)
    rows = [
        _columns(each) | {"key": key, "place": place}
        for place, (each, key) in enumerate(zip(plan, keys, strict=True))
    ]
    text = codec.inner_text(rows)
    written = await db.fetch(queries.put_skus, owner.product_id, text)
    try:
        priced = await db.fetch(
            queries.put_offers, owner.product_id, owner.seller_id, owner.seller_name, text, clock.now()
        )
    except asyncpg.UniqueViolationError:
        raise SkuTaken from None
    return bool(archived or written or priced)


def _columns(planned: PlannedVariant) -> dict[str, Any]:
    """Return a variant and its offer by the names of their columns."""
    price, begins_at, ends_at = sale_columns(planned.variant.sale)
    return structs.asdict(planned.variant) | {
        "sale_price": price,
        "sale_from": begins_at,
        "sale_until": ends_at,
        "in_stock": bool(planned.quantity),
    }


def _listing(row: Any) -> Listing:
    variants = codec.decode(row["variants"] or "[]", list[ListedVariant])
    there = [each for each in variants if each.status != "archived"]
    options = codec.decode(row["options"], dict[str, list[str]])
    return Listing(
        mark=fingerprint(dict(row)).hex(),
        **{name: row[name] for name in TEXTS},
        status=status_of(there),
        category=row["category"],
        attributes=codec.decode(row["attributes"], dict[str, Attribute]),
        images=codec.decode(row["images"], list[Image]),
        options=in_order(options, row["option_names"]),
        variants=there or variants,
        external_id=row["external_id"],
        created_at=row["created_at"],
        hidden_because=row["hidden_because"],
    )
