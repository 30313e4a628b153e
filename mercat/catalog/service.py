from collections.abc import Awaitable, Callable, Sequence
from hashlib import blake2b
from time import monotonic
from typing import Any, NamedTuple, get_args

import asyncpg
import msgspec
import structlog
from asyncpg.pool import PoolConnectionProxy
from msgspec import UnsetType, structs

from mercat import ids
from mercat.catalog.messages import (
    Attribute,
    Category,
    Image,
    ImportRow,
    ImportVariant,
    Listed,
    Listing,
    NewProduct,
    Offer,
    OfferSort,
    Place,
    Product,
    ProductChange,
    Status,
    Variant,
)
from mercat.catalog.rules import UNCATEGORISED, alike, content_of, free_slug, key_of
from mercat.events import Document, ProductChanged, RatingChanged, StockChanged
from mercat.ids import CategoryId, OfferId, ProductId, SellerId, SkuId
from mercat.kit import clock, codec, sql
from mercat.kit.batching import Coalescer
from mercat.kit.event_log import on
from mercat.kit.refusals import Invalid, NotFound, Stale
from mercat.kit.valkey import Store
from mercat.money import MINOR_MAX
from mercat.settings import Settings

queries = sql.load("mercat.catalog")
log = structlog.get_logger("mercat.catalog")
BUSTED = "mercat:product"
_TOLD_AGAIN_MAX = 500
_HERE_MAX = 5_000
_ROLLED_BACK_TRIES = 20
_decode_product = codec.decoder(Product).decode
Receive = Callable[[str, list[tuple[OfferId, int]], SellerId], Awaitable[None]]


class Taken(NamedTuple):
    """What became of a batch of rows."""

    added: int
    changed: int
    unchanged: int


class _Standing(NamedTuple):
    product_id: int
    content: bytes | None
    keys: list[str]


class _Variant(NamedTuple):
    offer_id: OfferId
    sku_id: SkuId
    quantity: int
    key: str


class Catalog:
    def __init__(self, db: asyncpg.Pool, cache: Store, settings: Settings) -> None:
        self._db = db
        self._cache = cache
        self._settings = settings
        self._offers: Coalescer[Sequence[OfferId], dict[OfferId, Offer]] = Coalescer(
            self._offers_many, batch_max=2_000, weigh=len
        )
        self._here: dict[ProductId, tuple[float, Product]] = {}
        self._listeners: list[Callable[[ProductId], None]] = [self._forget]
        self._paths: dict[str, tuple[str, ...]] = {}
        self._slugs: dict[tuple[str, ...], str] = {}
        self._by_path: dict[tuple[str, ...], CategoryId] = {}

    async def create(self, seller_id: SellerId, seller_name: str, draft: NewProduct) -> Listed:
        """Lists a product with one variant; it can be bought when this returns (stock is inventory's)."""
        self._check_for_sale(draft.status, draft.price, draft.currency)
        category_id = await self._category(draft.category)
        listed = Listed(ids.new(ProductId), ids.new(SkuId), ids.new(OfferId))
        images = [Image(url, draft.title) for url in draft.images] or [_drawn(listed.product_id, draft.title)]
        async with self._db.acquire() as db, db.transaction():
            try:
                await db.execute(
                    queries.add_product,
                    listed.product_id,
                    seller_id,
                    draft.external_id,
                    draft.title,
                    draft.description,
                    category_id,
                    draft.brand,
                    codec.text(draft.attributes),
                    "{}",
                    draft.tags,
                    codec.text(images),
                    clock.now(),
                )
            except asyncpg.UniqueViolationError:
                raise Invalid("You have a product with this external id.", pointer="/external_id") from None
            await db.execute(queries.add_sku, listed.sku_id, listed.product_id)
            await db.execute(
                queries.add_offer,
                listed.offer_id,
                listed.sku_id,
                listed.product_id,
                seller_id,
                seller_name,
                draft.price,
                draft.currency,
                draft.status,
                False,
            )
            await db.execute(queries.tell, [listed.product_id])
        return listed

    async def listing(self, seller_id: SellerId, product_id: ProductId) -> Listing:
        """A seller's product as it stands, to be changed."""
        row = await self._db.fetchrow(queries.listing, product_id, seller_id)
        if row is None:
            raise NotFound("You have no such product.")
        return _listing(row)

    async def change_product(
        self, seller_id: SellerId, product_id: ProductId, change: ProductChange, seen: str | None = None
    ) -> None:
        """A seller's product with another title, text or picture, known everywhere at once. An import of the
        same source leaves it so, until the source says something else. `seen`: the mark of the listing that
        is changed; Stale where it is another one by now, unless it already is what is wanted."""
        wanted = {
            name: value for name, value in structs.asdict(change).items() if not isinstance(value, UnsetType)
        }
        if "category" in wanted:
            wanted["category_id"] = await self._category(wanted.pop("category"))
        async with self._db.acquire() as db, db.transaction():
            row = await db.fetchrow(queries.own_product, product_id, seller_id)
            if row is None:
                raise NotFound("You have no such product.")
            before: Any = (
                await db.fetchrow(queries.listing, product_id, seller_id) if seen is not None else None
            )
            standing = dict(row)
            title = wanted.get("title", standing["title"])
            if "images" in wanted:
                wanted["images"] = codec.text([Image(url, title) for url in wanted["images"]])
            if "attributes" in wanted:
                wanted["attributes"] = codec.text(wanted["attributes"])
            if not await db.fetchval(queries.change_product, product_id, *(standing | wanted).values()):
                return
            if before is not None and _listing(before).mark != seen:
                raise Stale("This listing was changed meanwhile.")
            await db.execute(queries.tell, [product_id])
        await self._bust([product_id])

    async def change_offer(
        self, seller_id: SellerId, offer_id: OfferId, price: int | None = None, status: str | None = None
    ) -> Offer:
        """A seller's new price or status for their offer, known everywhere at once."""
        async with self._db.acquire() as db, db.transaction():
            product_id = await db.fetchval(queries.lock_of_offer, offer_id, seller_id)
            if product_id is None:
                raise NotFound("You have no such offer.")
            standing = (await self._offers_many([[offer_id]], db))[0][offer_id]
            changed = msgspec.structs.replace(
                standing,
                price=standing.price if price is None else price,
                currency=standing.currency if price is None else self._settings.currency,
                status=status or standing.status,
            )
            if changed == standing:
                return standing
            self._check_for_sale(changed.status, changed.price, changed.currency)
            await db.execute(queries.change_offer, offer_id, changed.price, changed.status, changed.currency)
            await db.execute(queries.tell, [product_id])
        await self._bust([ProductId(product_id)])
        return changed

    def _check_for_sale(self, status: str, price: int, currency: str) -> None:
        if status not in get_args(Status):
            raise Invalid(f"A status is one of {', '.join(get_args(Status))}.", pointer="/status")
        if not 0 <= price <= MINOR_MAX:
            raise Invalid("This price is negative or absurd.", pointer="/price")
        if status == "active" and price <= 0:
            raise Invalid("What is for sale needs a price.", pointer="/price")
        if status == "active" and currency != self._settings.currency:
            raise Invalid(
                f"This shop sells in {self._settings.currency}. Offers in {currency} stay drafts.",
                pointer="/currency",
            )

    async def offers(self, offer_ids: list[OfferId]) -> dict[OfferId, Offer]:
        """Offers as they are now, from the database; many callers, one statement."""
        return await self._offers(offer_ids)

    async def of_seller(
        self,
        seller_id: SellerId,
        after: OfferId | None = None,
        limit: int = 50,
        words: str = "",
        status: Status | None = None,
        sort: OfferSort = "newest",
    ) -> list[Offer]:
        """A seller's offers: those with these words, or parts of them, in the title."""
        asked = (seller_id, after, status, words.lower().split(), limit)
        if sort == "newest":
            rows = await self._db.fetch(queries.of_seller, *asked)
        else:
            rows = await self._db.fetch(queries.of_seller_by_price, *asked, 1 if sort == "cheapest" else -1)
        return [_offer(row) for row in rows]

    async def featured(self, product_id: ProductId) -> OfferId:
        """The offer that is bought when a product is; NotFound where nothing of it is for sale."""
        offer_id = await self._db.fetchval(queries.featured, product_id)
        if offer_id is None:
            raise NotFound("There is no such product for sale.", pointer="/product_id")
        return OfferId(offer_id)

    async def product(self, product_id: ProductId) -> Product:
        """Everything about a product, at most five seconds old, and less once anybody changed it."""
        held = self._here.get(product_id)
        if held and held[0] > monotonic():
            return held[1]
        key = f"product:{product_id}"
        try:
            kept = await self._cache.do("GET", key)
        except Exception:
            kept = None  # a cache that is away costs time, not answers
        product = _decode_product(kept) if kept else await self._product(product_id)
        if not kept:
            await self._keep(key, product)
        if len(self._here) >= _HERE_MAX:
            self._here.clear()
        # Half here and half there, so that both together stay inside what is promised.
        self._here[product_id] = (monotonic() + self._settings.product_cache_s / 2, product)
        return product

    async def _keep(self, key: str, product: Product) -> None:
        life = max(1, int(self._settings.product_cache_s * 500))
        try:
            await self._cache.do("SET", key, codec.encode(product), "PX", life)
        except Exception as error:
            log.warning("a product could not be cached", reason=repr(error)[:100])

    async def _product(self, product_id: ProductId) -> Product:
        row = await self._db.fetchrow(queries.product, product_id)
        if row is None:
            raise NotFound("There is no such product.")
        return _product(row, self._settings.currency)

    async def cards(self, product_ids: list[ProductId]) -> list[Document]:
        """Products as shelves show them, in the order asked; those not for sale are left out."""
        rows = await self._db.fetch(queries.cards, product_ids)
        found = {
            row["product_id"]: codec.decode(row["document"], Document) for row in rows if row["document"]
        }
        return [found[product_id] for product_id in product_ids if product_id in found]

    async def categories(self) -> list[Category]:
        return [
            Category(CategoryId(row["category_id"]), row["slug"], row["name"], _category_id(row["parent_id"]))
            for row in await self._db.fetch(queries.categories)
        ]

    async def documents(self, after: ProductId, limit: int = 1_000) -> list[ProductChanged]:
        """All products by id, a page at a time: what an index is filled with anew."""
        return [
            ProductChanged(
                product_id=ProductId(row["product_id"]),
                version=row["version"],
                document=codec.decode(row["document"], Document) if row["document"] else None,
            )
            for row in await self._db.fetch(queries.documents, after, limit)
        ]

    async def histograms(self, after: ProductId, limit: int = 1_000) -> list[tuple[ProductId, list[int]]]:
        """The ratings that products came with, by id, a page at a time."""
        rows = await self._db.fetch(queries.histograms, after, limit)
        return [(ProductId(row["product_id"]), row["histogram"]) for row in rows]

    async def take(
        self, rows: list[ImportRow], seller_id: SellerId, seller_name: str, stock: int, receive: Receive
    ) -> Taken:
        """Takes a batch of rows from elsewhere into the catalogue, by their external ids. The same rows again
        change nothing. Goods are received before they can be bought; goods of a batch that died in between
        belong to no offer and harm nobody."""
        unique = {row.external_id: row for row in rows}
        standing = {
            row["external_id"]: _Standing(row["product_id"], row["content"], row["keys"])
            for row in await self._db.fetch(queries.known, seller_id, list(unique))
        }
        contents = {external_id: content_of(row) for external_id, row in unique.items()}
        work = [
            row
            for external_id, row in unique.items()
            if external_id not in standing or standing[external_id].content != contents[external_id]
        ]
        if not work:
            return Taken(0, 0, len(unique))
        categories = await self._categories({tuple(row.category_path) for row in work})
        variants = {row.external_id: [_variant(variant, stock) for variant in row.variants] for row in work}
        goods = [
            (variant.offer_id, variant.quantity)
            for row in work
            for variant in variants[row.external_id]
            if variant.quantity
            and (row.external_id not in standing or variant.key not in standing[row.external_id].keys)
        ]
        if goods:
            await receive(f"import/{int(goods[0][0])}", goods, seller_id)
        known = [standing[row.external_id].product_id for row in work if row.external_id in standing]
        products = [
            _staged(
                row,
                ProductId(standing[row.external_id].product_id)
                if row.external_id in standing
                else ids.new(ProductId),
                seller_id,
                categories[tuple(row.category_path)],
                contents[row.external_id],
            )
            for row in work
        ]
        offers = [
            staged
            for row in work
            for staged in self._staged_offers(row, variants[row.external_id], seller_id, seller_name)
        ]
        for tried in range(1, _ROLLED_BACK_TRIES + 1):
            try:
                await self._put(known, products, offers)
                break
            except asyncpg.TransactionRollbackError:  # a deadlock with a follower: nothing happened
                if tried == _ROLLED_BACK_TRIES:
                    raise
        added = sum(1 for row in work if row.external_id not in standing)
        return Taken(added, len(work) - added, len(unique) - len(work))

    async def _put(
        self, known: list[int], products: list[tuple[Any, ...]], offers: list[tuple[Any, ...]]
    ) -> None:
        """One commit of an import: what is new or changed, and the facts that say so."""
        async with self._db.acquire() as db, db.transaction():
            await db.execute(queries.lock, known)
            await db.execute(queries.stage)
            await db.execute(queries.stage_offers)
            await db.copy_records_to_table("staged_product", records=products)
            await db.copy_records_to_table("staged_offer", records=offers)
            touched = [row["product_id"] for row in await db.fetch(queries.take_products)]
            await db.execute(queries.take_skus, touched)
            await db.execute(queries.take_offers, touched)
            await db.execute(queries.tell, touched)

    def _staged_offers(
        self, row: ImportRow, variants: list[_Variant], seller_id: SellerId, seller_name: str
    ) -> list[tuple[Any, ...]]:
        shop = self._settings.currency
        return [
            (
                known.offer_id,
                known.sku_id,
                seller_id,
                seller_name,
                row.external_id,
                known.key,
                place,
                codec.text(variant.options),
                variant.price,
                row.currency,
                "active" if variant.price > 0 and row.currency == shop else "draft",
                known.quantity > 0,
                int(known.quantity > 0),
            )
            for place, (variant, known) in enumerate(zip(row.variants, variants, strict=True))
        ]

    async def _category(self, said: str) -> CategoryId:
        """The category of this slug or name; made where there is none."""
        if not said.strip() or said == UNCATEGORISED:
            return CategoryId(0)
        await self._learn_categories()
        if path := self._paths.get(said):
            return self._by_path[path]
        for path, category_id in self._by_path.items():
            if alike(path[-1]) == alike(said):
                return category_id
        path = (said.strip(),)
        return (await self._categories({path}))[path]

    async def _categories(self, paths: set[tuple[str, ...]]) -> dict[tuple[str, ...], CategoryId]:
        """Categories by their names from the root; those that are missing are made, parents first."""
        wanted = {path[:depth] for path in paths for depth in range(1, len(path) + 1)}
        if wanted - self._by_path.keys():
            await self._learn_categories()
        while missing := sorted(wanted - self._by_path.keys(), key=len):
            depth = len(missing[0])
            rows: list[tuple[Any, ...]] = []
            taken = dict(self._paths)
            for path in (path for path in missing if len(path) == depth):
                slug = free_slug(path, taken)
                taken[slug] = path
                parent = self._by_path.get(path[:-1])
                slugs = [self._slugs[path[:n]] for n in range(1, depth)] + [slug]
                rows.append((ids.new(CategoryId), slug, path[-1], parent, "/".join(slugs), "\x1f".join(path)))
            await self._db.execute(queries.add_categories, *sql.columns(rows))
            await self._learn_categories()
        return {path: self._by_path[path] if path else CategoryId(0) for path in paths}

    async def _learn_categories(self) -> None:
        rows = await self._db.fetch(queries.categories)
        self._paths = {row["slug"]: tuple(row["names"]) for row in rows}
        self._slugs = {path: slug for slug, path in self._paths.items()}
        self._by_path = {tuple(row["names"]): CategoryId(row["category_id"]) for row in rows}

    @on(StockChanged)
    async def follow_stock(self, db: PoolConnectionProxy, events: list[StockChanged]) -> None:
        newest = {event.offer_id: event for event in sorted(events, key=lambda event: event.version)}
        rows = [(event.offer_id, event.version, event.available) for event in newest.values()]
        await self._tell_changed(db, await db.fetch(queries.stock_changed, *sql.columns(rows)))

    @on(RatingChanged)
    async def follow_ratings(self, db: PoolConnectionProxy, events: list[RatingChanged]) -> None:
        newest = {event.product_id: event for event in sorted(events, key=lambda event: event.version)}
        rows = [
            (
                event.product_id,
                event.version,
                event.rating,
                event.review_count,
                ",".join(map(str, event.histogram)),
            )
            for event in newest.values()
        ]
        await self._tell_changed(db, await db.fetch(queries.rating_changed, *sql.columns(rows)))

    async def _tell_changed(self, db: PoolConnectionProxy, rows: list[Any]) -> None:
        if rows:
            await db.execute(queries.tell, [row["product_id"] for row in rows])

    async def tell_again(self, product_ids: list[ProductId]) -> None:
        """Tells these products as they stand, for whoever missed it."""
        for start in range(0, len(product_ids), _TOLD_AGAIN_MAX):
            await self._db.execute(queries.tell, product_ids[start : start + _TOLD_AGAIN_MAX])

    @on(ProductChanged, outside=True)
    async def follow_itself(self, events: list[ProductChanged]) -> None:
        """Whatever changed a product, and in whichever process: once it is committed, caches forget it."""
        await self._bust(list({event.product_id for event in events}))

    async def _bust(self, product_ids: list[ProductId]) -> None:
        """Every worker forgets these at once; should the message be lost, they forget within five seconds."""
        try:
            await self._cache.do("DEL", *(f"product:{product_id}" for product_id in product_ids))
            await self._cache.do("PUBLISH", BUSTED, " ".join(map(str, product_ids)))
        except Exception as error:
            log.warning("caches were not told", reason=repr(error)[:100])
        for product_id in product_ids:
            self._forget(product_id)

    def _forget(self, product_id: ProductId) -> None:
        self._here.pop(product_id, None)

    def on_change(self, listener: Callable[[ProductId], None]) -> None:
        """Calls back in this process when a product has changed in any."""
        self._listeners.append(listener)

    async def listen(self) -> None:
        """Hears of changes in other processes, for ever. While nobody can be heard, everything is forgotten
        by its age."""
        async for shown in self._cache.subscribe(BUSTED):
            self._hear(shown)

    def _hear(self, shown: str) -> None:
        for product_id in (ids.parse(ProductId, each) for each in shown.split()):
            for listener in self._listeners:
                listener(product_id)

    async def _offers_many(
        self, asks: Sequence[Sequence[OfferId]], db: Any = None
    ) -> list[dict[OfferId, Offer]]:
        wanted = list({offer_id for ask in asks for offer_id in ask})
        rows = await (db or self._db).fetch(queries.offers, wanted)
        found = {row["offer_id"]: _offer(row) for row in rows}
        return [{offer_id: found[offer_id] for offer_id in ask if offer_id in found} for ask in asks]


def _variant(variant: ImportVariant, stock: int) -> _Variant:
    quantity = stock if variant.quantity is None else variant.quantity
    return _Variant(ids.new(OfferId), ids.new(SkuId), quantity, key_of(variant))


def _staged(
    row: ImportRow, product_id: ProductId, seller_id: SellerId, category_id: CategoryId, content: bytes
) -> tuple[Any, ...]:
    images = [Image(url, row.title) for url in row.images] or [_drawn(product_id, row.title)]
    return (
        product_id,
        seller_id,
        row.external_id,
        row.title,
        row.description,
        category_id,
        row.brand,
        codec.text(row.attributes),
        codec.text(row.options),
        row.tags,
        codec.text(images),
        row.rating,
        row.review_count,
        row.histogram,
        row.popularity,
        content,
        row.released or clock.now(),
    )


def _category_id(number: int | None) -> CategoryId | None:
    return None if number is None else CategoryId(number)


def _drawn(product_id: ProductId, title: str) -> Image:
    """What has no picture gets a drawn one."""
    return Image(f"/media/art/{product_id}.svg", title)


def _listing(row: Any) -> Listing:
    return Listing(
        mark=blake2b(codec.encode(dict(row)), digest_size=12).hexdigest(),
        title=row["title"],
        description=row["description"],
        category=row["category"],
        brand=row["brand"],
        attributes=codec.decode(row["attributes"], dict[str, Attribute]),
        images=[image.url for image in codec.decode(row["images"], list[Image])],
    )


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


def _product(row: Any, currency: str) -> Product:
    variants = codec.decode(row["variants"], list[Variant]) if row["variants"] else []
    offers = [offer for variant in variants for offer in variant.offers]
    offers.sort(key=lambda offer: (not offer.in_stock, offer.price, offer.offer_id))
    featured = next((offer for offer in offers if offer.offer_id == row["featured"]), None)
    images = codec.decode(row["images"], list[Image])
    return Product(
        product_id=ProductId(row["product_id"]),
        offer_id=featured.offer_id if featured else None,
        title=row["title"],
        description=row["description"],
        price=featured.price if featured else None,
        currency=featured.currency if featured else currency,
        rating=row["rating"],
        review_count=row["review_count"],
        histogram=list(row["histogram"]),
        image_url=images[0].url if images else "",
        images=images,
        in_stock=bool(featured and featured.in_stock),
        seller_id=featured.seller_id if featured else None,
        seller_name=featured.seller_name if featured else "",
        category=row["category"],
        category_path=[Place(slug, name) for slug, name in zip(row["slugs"], row["names"], strict=True)],
        brand=row["brand"],
        external_id=row["external_id"],
        attributes=msgspec.json.decode(row["attributes"]),
        options=msgspec.json.decode(row["options"], type=dict[str, list[str]]),
        tags=list(row["tags"]),
        variants=variants,
        offers=offers,
        created_at=row["created_at"],
        version=row["version"],
    )
