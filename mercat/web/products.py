import asyncio
import time
from typing import NamedTuple

from msgspec import UNSET, Raw, Struct

from mercat import money
from mercat.catalog import Category, Product, ProductOffer
from mercat.ids import ProductId
from mercat.kit.refusals import NotFound
from mercat.kit.rpc import Answer
from mercat.reviews import Page
from mercat.search import Explained, Facets, Query, Relaxed, Suggestions
from mercat.services import Services
from mercat.web import schemas as shapes
from mercat.web.responses import public
from mercat.web.reviews import review_shown

UNCATEGORISED = "uncategorised"
REVIEWS_ON_PRODUCT = 5
_CATEGORIES_FRESH_S = 5.0
_KEPT_S = 2.0
_KEPT_MAX = 2_000


class Results(Struct, frozen=True, kw_only=True):
    """`ResultsShown`, with the cards as the bytes that search keeps."""

    results: list[Raw]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None
    facets: Facets
    relaxed: Relaxed | None
    relaxed_query: str | None
    did_you_mean: str | None
    all_words: int | None


class Products(Struct, frozen=True, kw_only=True):
    """`ProductsShown`, likewise."""

    products: list[Raw]
    total: int
    page: int
    total_pages: int
    next_cursor: str | None


class _Kept(NamedTuple):
    """A product's answer, good for as long as the catalogue says the same, and not for long."""

    product: Product
    until: float
    answer: Answer


class Browsing:
    """Categories, products and search: the same answers for everybody."""

    def __init__(self, shop: Services) -> None:
        self._shop = shop
        self._categories: list[Category] = []
        self._categories_until = 0.0
        self._kept: dict[ProductId, _Kept] = {}

    async def categories(self) -> Answer:
        """All categories, with how many products each has, its descendants' included."""
        nothing: dict[str, int] = {}
        known, counts = await asyncio.gather(
            self._known_categories(),
            self._shop.breakers["search"].ask(self._shop.search.category_counts(), nothing),
        )
        shown = [
            shapes.CategoryShown(
                category.category_id,
                category.slug,
                category.name,
                category.parent_id,
                counts.get(category.slug, 0),
            )
            for category in known
        ]
        return public(shapes.CategoriesShown(shown), "categories")

    async def products(self, ask: shapes.ProductsAsk) -> Answer:
        """Products for sale, of one category with all below it, or of all."""
        if ask.category is not None:
            await self._check_category(ask.category)
        found = await self._shop.search.find(
            Query(
                category=[] if ask.category is None else [ask.category],
                sort=ask.sort,
                page=ask.page,
                limit=ask.limit,
                cursor=ask.cursor,
            )
        )
        shown = Products(
            products=found.results,
            total=found.total,
            page=found.page,
            total_pages=found.total_pages,
            next_cursor=found.next_cursor,
        )
        return public(shown, "products", *([f"category/{ask.category}"] if ask.category else []))

    async def product(self, product_id: ProductId) -> Answer:
        """Everything about a product: pictures, variants, offers, and the newest reviews."""
        product = await self._shop.catalog.product(product_id)
        kept = self._kept.get(product_id)
        now = time.monotonic()
        if kept and kept.product is product and now < kept.until:
            return kept.answer
        asked = self._shop.reviews.newest(product_id, REVIEWS_ON_PRODUCT)
        said = await self._shop.breakers["reviews"].ask(asked, Page([], 0))
        answer = public(_product(product, said), product_id, f"category/{product.category}")
        if len(self._kept) >= _KEPT_MAX:
            self._kept.clear()
        self._kept[product_id] = _Kept(product, now + _KEPT_S, answer)
        return answer

    async def search(self, ask: shapes.SearchAsk) -> Answer:
        """Products that have the words and pass the filters; each facet counts what it would leave."""
        currency = self._shop.settings.currency
        low, high = (
            None if price is None else shapes.minor(price, currency, f"/filters[{name}]")
            for name, price in (("price_min", ask.price_min), ("price_max", ask.price_max))
        )
        found = await self._shop.search.find(
            Query(
                q=ask.q,
                price_min=low,
                price_max=high,
                brand=ask.brand,
                category=ask.category,
                rating_min=ask.rating_min,
                in_stock=ask.in_stock,
                attributes=ask.attributes,
                sort=ask.sort,
                page=ask.page,
                limit=ask.limit,
                cursor=ask.cursor,
            )
        )
        shown = Results(
            results=found.results,
            total=found.total,
            page=found.page,
            total_pages=found.total_pages,
            next_cursor=found.next_cursor,
            facets=found.facets,
            relaxed=found.relaxed,
            relaxed_query=found.relaxed.q if found.relaxed else None,
            did_you_mean=found.did_you_mean,
            all_words=found.all_words,
        )
        return public(shown, "search")

    async def suggest(self, q: shapes.Words = "", limit: shapes.FewLimit = 8) -> Answer:
        """What the first letters may become: words, products, categories, brands, past searches."""
        asked = self._shop.search.suggest(q, limit)
        return public(await self._shop.breakers["search"].ask(asked, Suggestions([], [], [], [])), "search")

    async def explain(self, q: shapes.Words = "", limit: shapes.FewLimit = 8) -> Explained:
        """Why search puts the first products first: each one's numbers, for operators."""
        return await self._shop.search.explain(q, limit)

    async def _check_category(self, slug: str) -> None:
        if slug == UNCATEGORISED or any(slug == category.slug for category in await self._known_categories()):
            return
        self._categories_until = 0.0  # it may have been made this moment
        if all(slug != category.slug for category in await self._known_categories()):
            raise NotFound("There is no such category.", pointer="/category")

    async def _known_categories(self) -> list[Category]:
        now = time.monotonic()
        if now >= self._categories_until:
            self._categories = await self._shop.catalog.categories()
            self._categories_until = now + _CATEGORIES_FRESH_S
        return self._categories


def _product(product: Product, said: Page) -> shapes.ProductShown:
    return shapes.ProductShown(
        product_id=product.product_id,
        offer_id=product.offer_id,
        title=product.title,
        price=None if product.price is None else money.shown(product.price, product.currency),
        currency=product.currency,
        rating=product.rating,
        review_count=product.review_count,
        image_url=product.image_url,
        in_stock=product.in_stock,
        seller=(
            None if product.seller_id is None else shapes.SellerShown(product.seller_id, product.seller_name)
        ),
        category=product.category,
        brand=product.brand,
        external_id=UNSET if product.external_id is None else product.external_id,
        description=product.description,
        images=[shapes.ImageShown(image.url, image.alt) for image in product.images],
        attributes=product.attributes,
        options=product.options,
        variants=[
            shapes.VariantShown(variant.sku_id, variant.options, [_offer(offer) for offer in variant.offers])
            for variant in product.variants
        ],
        offers=[_offer(offer) for offer in product.offers],
        category_path=[shapes.PlaceShown(place.slug, place.name) for place in product.category_path],
        tags=product.tags,
        histogram=product.histogram,
        reviews=[review_shown(review) for review in said.reviews],
        created_at=product.created_at,
    )


def _offer(offer: ProductOffer) -> shapes.OfferShown:
    return shapes.OfferShown(
        offer_id=offer.offer_id,
        sku_id=offer.sku_id,
        price=money.shown(offer.price, offer.currency),
        currency=offer.currency,
        in_stock=offer.in_stock,
        seller=shapes.SellerShown(offer.seller_id, offer.seller_name),
    )
