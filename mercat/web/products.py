"""A product: everything about it, as JSON and as its page."""

import asyncio
import time
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import Condition, Product, ProductOffer, ProductTexts, Variant, texts_of
from mercat.fulfilment import ShippingMethod
from mercat.ids import OfferId, ProductId, SkuId
from mercat.kit.http import Answer
from mercat.kit.refusals import NotFound
from mercat.reviews import Review, ReviewPage
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.cache import public_answer
from mercat.web.cart import AddItem
from mercat.web.forms import Form, id_of
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.reviews import ProductReviewShown, review_shown
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, SellerShown
from mercat.web.tiles import shelf

REVIEWS_ON_PRODUCT = 5
_CACHED_S = 2.0
_CACHED_MAX = 2_000
_REVIEWS = 10
_A_SHELF = 5
_LINKED_LETTERS_MAX = 1_000
"""Of a text, for search engines."""


class ImageShown(Struct, frozen=True):
    url: str
    alt: str


class OfferShown(Struct, frozen=True):
    offer_id: OfferId
    sku_id: SkuId
    price: Amount
    currency: str
    in_stock: bool
    seller: SellerShown
    condition: Condition


class VariantShown(Struct, frozen=True):
    sku_id: SkuId
    options: dict[str, str]
    offers: list[OfferShown]
    sku: str | None
    gtin: str | None
    image_url: str


class PlaceShown(Struct, frozen=True):
    slug: str
    name: str


class ProductShown(ProductTexts, frozen=True, kw_only=True):
    product_id: ProductId
    offer_id: OfferId | None
    price: Amount | None
    currency: str
    rating: float
    review_count: int
    image_url: str
    in_stock: bool
    seller: SellerShown | None
    category: str
    external_id: str | UnsetType = UNSET
    images: list[ImageShown]
    attributes: dict[str, str | float | bool]
    options: dict[str, list[str]]
    variants: list[VariantShown]
    offers: list[OfferShown]
    category_path: list[PlaceShown]
    tags: list[str]
    histogram: list[int]
    reviews: list[ProductReviewShown]
    created_at: datetime


class _CachedAnswer(NamedTuple):
    """A product's answer, good for as long as the catalogue says the same, and not for long."""

    product: Product
    until: float
    answer: Answer


class ProductsApi:
    """A product."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._cached: dict[ProductId, _CachedAnswer] = {}

    async def product(self, product_id: ProductId) -> Answer:
        """Show everything about a product: pictures, variants, offers, and the newest reviews."""
        product = await self._shop.catalog.product(product_id)
        kept = self._cached.get(product_id)
        now = time.monotonic()
        if kept and kept.product is product and now < kept.until:
            return kept.answer
        asked = self._shop.reviews.newest(product_id, REVIEWS_ON_PRODUCT)
        reviews = await self._shop.breakers["reviews"].ask(asked, ReviewPage([], 0))
        answer = public_answer(_product_shown(product, reviews), product_id, f"category/{product.category}")
        if len(self._cached) >= _CACHED_MAX:
            self._cached.clear()
        self._cached[product_id] = _CachedAnswer(product, now + _CACHED_S, answer)
        return answer


def _product_shown(product: Product, reviews: ReviewPage) -> ProductShown:
    return ProductShown(
        product_id=product.product_id,
        offer_id=product.offer_id,
        **texts_of(product),
        price=None if product.price is None else money.shown(product.price, product.currency),
        currency=product.currency,
        rating=product.rating,
        review_count=product.review_count,
        image_url=product.image_url,
        in_stock=product.in_stock,
        seller=(None if product.seller_id is None else SellerShown(product.seller_id, product.seller_name)),
        category=product.category,
        external_id=UNSET if product.external_id is None else product.external_id,
        images=[ImageShown(image.url, image.alt) for image in product.images],
        attributes=product.attributes,
        options=product.options,
        variants=[
            VariantShown(
                variant.sku_id,
                variant.options,
                [_offer_shown(offer) for offer in variant.offers],
                variant.sku,
                variant.gtin,
                variant.images[0].url if variant.images else product.image_url,
            )
            for variant in product.variants
        ],
        offers=[_offer_shown(offer) for offer in product.offers],
        category_path=[PlaceShown(place.slug, place.name) for place in product.category_path],
        tags=product.tags,
        histogram=product.histogram,
        reviews=[review_shown(review) for review in reviews.reviews],
        created_at=product.created_at,
    )


def _offer_shown(offer: ProductOffer) -> OfferShown:
    return OfferShown(
        offer_id=offer.offer_id,
        sku_id=offer.sku_id,
        price=money.shown(offer.price, offer.currency),
        currency=offer.currency,
        in_stock=offer.in_stock,
        seller=SellerShown(offer.seller_id, offer.seller_name),
        condition=offer.condition,
    )


API = [
    PublicRoute("GET", "/products/{product_id}", ProductsApi.product, tag="Browsing", shows=ProductShown),
]


class VariantOption(NamedTuple):
    name: str
    choices: list[dict[str, Any]]


class ProductPages:
    """The page of a product, the same for everybody."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def product(self, request: Request) -> Response:
        product_id: ProductId = id_of(request.path_params["product_id"], ProductId)
        breaker, none = self._shop.breakers["reviews"], None
        product, page, together, similar, delivery = await asyncio.gather(
            self._shop.catalog.product(product_id),
            breaker.ask(self._shop.reviews.newest(product_id, _REVIEWS), none),
            shelf(self._shop, self._shop.recommendations.bought_together(product_id, _A_SHELF)),
            shelf(self._shop, self._shop.recommendations.similar(product_id, _A_SHELF)),
            self._delivery(),
        )
        variant = _variant(product, request.query_params.get("variant"))
        offers = variant.offers if variant else product.offers
        offer = offers[0] if offers else None
        if product.offer_id and not request.query_params.get("variant"):
            offer = next((each for each in offers if each.offer_id == product.offer_id), offer)
        canonical = rendering.href(product)
        shown = [*(variant.images if variant else ()), *product.images]
        images = [{"url": url, "alt": alt} for url, alt in {image.url: image.alt for image in shown}.items()]
        origin = self._pages.origin(request)
        category = (await self._pages.categories.all()).get(product.category)
        return await self._pages.public(
            request,
            "product.html",
            [str(product_id), f"category/{product.category}"],
            product=product,
            offer=offer,
            others=[each for each in offers if each is not offer],
            options=_options(product, variant, canonical),
            images=images or [{"url": product.image_url, "alt": ""}],
            path=category.path if category else [],
            department=category.path[0].slug if category else None,
            delivery=delivery,
            flash=await self._flash(offer.offer_id) if offer else None,
            # What is chosen above is not told again as if it were fixed.
            details={
                name: value for name, value in product.attributes.items() if name not in product.options
            },
            histogram=_histogram(product.histogram),
            reviews=page.reviews if page else [],
            together=together,
            similar=[each for each in similar if each not in together],
            linked=_linked(product, offer, images, page.reviews if page else [], origin + canonical, origin),
            canonical=canonical,
            form=Form(AddItem),
        )

    async def _flash(self, offer_id: OfferId) -> str | None:
        """Find the sale in which alone this offer is sold, if there is one."""
        watched = await unless_away(self._shop.flashsale.sale_offers()) or ()
        return next((each.sale_id for each in watched if each.offer_id == offer_id), None)

    async def _delivery(self) -> ShippingMethod | None:
        return next(iter(await unless_away(self._shop.fulfilment.methods("US", "")) or ()), None)


def _variant(product: Product, asked: str | None) -> Variant | None:
    """Choose the variant asked for; else the one whose offer is featured, if there are several."""
    if len(product.variants) < 2:
        return None
    if asked:
        sku_id = id_of(asked, SkuId)
        chosen = next((each for each in product.variants if each.sku_id == sku_id), None)
        if chosen is None:
            raise NotFound("This product has no such variant.")
        return chosen
    featured = (each for each in product.variants if any(o.offer_id == product.offer_id for o in each.offers))
    return next(featured, product.variants[0])


def _options(product: Product, here: Variant | None, canonical: str) -> list[VariantOption]:
    """List each option with its values, each a link to the variant that differs from this one least."""
    if here is None:
        return []
    options: list[VariantOption] = []
    for name, values in product.options.items():
        choices: list[dict[str, Any]] = []
        for value in values:
            fitting = [each for each in product.variants if each.options.get(name) == value]
            if not fitting:
                continue
            wanted = here.options | {name: value}
            nearest = max(fitting, key=lambda each: sum(each.options.get(k) == v for k, v in wanted.items()))
            choices.append(
                {
                    "value": value,
                    "url": f"{canonical}?variant={nearest.sku_id}",
                    "here": here.options.get(name) == value,
                    "gone": not any(offer.in_stock for offer in nearest.offers),
                }
            )
        options.append(VariantOption(name, choices))
    return options


def _histogram(counts: Sequence[int]) -> list[tuple[int, int, int]]:
    """List stars, how many, percent; five stars first."""
    total = sum(counts)
    return (
        [(star, counts[star - 1], round(100 * counts[star - 1] / total)) for star in (5, 4, 3, 2, 1)]
        if total
        else []
    )


def _linked(
    product: Product,
    offer: ProductOffer | None,
    images: list[dict[str, str]],
    reviews: list[Review],
    url: str,
    origin: str,
) -> dict[str, Any]:
    """Describe the product as schema.org does."""
    shown: dict[str, Any] = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.title,
        "description": product.description[:_LINKED_LETTERS_MAX],
        "sku": str(product.product_id),
        "url": url,
        "image": [rendering.absolute(image["url"], origin) for image in images],
    }
    if product.brand:
        shown["brand"] = {"@type": "Brand", "name": product.brand}
    if offer:
        shown["offers"] = {
            "@type": "Offer",
            "price": rendering.decimal(offer.price, offer.currency),
            "priceCurrency": offer.currency,
            "availability": f"https://schema.org/{'InStock' if offer.in_stock else 'OutOfStock'}",
            "seller": {"@type": "Organization", "name": offer.seller_name},
            "url": url,
        }
    if product.review_count:
        shown["aggregateRating"] = {
            "@type": "AggregateRating",
            "ratingValue": round(product.rating, 1),
            "reviewCount": product.review_count,
        }
    if reviews:
        shown["review"] = [
            {
                "@type": "Review",
                "reviewRating": {"@type": "Rating", "ratingValue": each.stars},
                "author": {"@type": "Person", "name": each.author or "A buyer"},
                "reviewBody": each.body[:_LINKED_LETTERS_MAX],
                "datePublished": date.isoformat(each.written_at.date()),
            }
            for each in reviews[:3]
        ]
    return shown


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    products = ProductPages(pages, shop)
    return [
        pages.route("/p/{product_id}", products.product, shared=True),
        pages.route("/p/{product_id}/{words}", products.product, shared=True),
    ]
