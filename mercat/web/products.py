"""A product: everything about it, as JSON and as its page."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from msgspec import UNSET, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import Condition, Product, ProductOffer, ProductTexts, QuantityRules, Variant, texts_of
from mercat.countries import says_lowest_price
from mercat.fulfilment import AddressNotServed, PartToSend, ShippingMethod
from mercat.ids import OfferId, ProductId, SkuId
from mercat.kit.http import Answer
from mercat.kit.refusals import NotFound
from mercat.money import GIFT_CARD_CLASS
from mercat.promotions import PricedGoods, PromotionOnGoods
from mercat.reviews import ReviewPage
from mercat.sellers import issuers
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.cache import public_answer, set_holds_until, soonest
from mercat.web.cart import AddItem
from mercat.web.category_tree import CategoryNode
from mercat.web.forms import Form, id_of
from mercat.web.here import ChosenCountry, chosen_country, tiles_in
from mercat.web.linked import LinkedProduct, breadcrumbs
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.reviews import ProductReviewShown, review_shown
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, SalePriceShown, SellerShown, amount_shown, sale_shown
from mercat.web.tiles import hold_until, shelf

REVIEWS_ON_PRODUCT = 5
_REVIEWS = 10
_A_SHELF = 5


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
    was_price: Amount | None
    """What it cost before a reduction."""
    compare_at_price: Amount | None
    sale: SalePriceShown | None
    """The sale that its price is of."""
    lowest_price_30_days: Amount | None
    """Of the thirty days before the reduction began; none where there is no reduction."""
    quantity_rules: QuantityRules | None


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
    was_price: Amount | None
    lowest_price_30_days: Amount | None
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


class ProductsApi:
    """A product."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def product(self, request: Request, product_id: ProductId, country: ChosenCountry = "") -> Answer:
        """Show everything about a product: pictures, variants, offers, and the newest reviews."""
        product = await self._shop.catalog.product(product_id)
        product = await self._shop.prices.product(country, product)
        set_holds_until(request, product.flips_at)
        asked = self._shop.reviews.newest(product.product_id, REVIEWS_ON_PRODUCT)
        reviews = await self._shop.breakers["reviews"].ask(asked, ReviewPage([], 0))
        keys = product.product_id, f"category/{product.category}"
        return public_answer(_product_shown(product, reviews), *keys, until=product.flips_at)


def _product_shown(product: Product, reviews: ReviewPage) -> ProductShown:
    return ProductShown(
        product_id=product.product_id,
        offer_id=product.offer_id,
        **texts_of(product),
        price=amount_shown(product.price, product.currency),
        was_price=amount_shown(product.was_price, product.currency),
        lowest_price_30_days=amount_shown(product.lowest_price_30_days, product.currency),
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
        was_price=amount_shown(offer.was_price, offer.currency),
        compare_at_price=amount_shown(offer.compare_at_price, offer.currency),
        sale=_running(offer),
        lowest_price_30_days=amount_shown(offer.lowest_price_30_days, offer.currency),
        quantity_rules=offer.quantity_rules,
    )


def _running(offer: ProductOffer) -> SalePriceShown | None:
    """Show the sale that an offer's price is of; what is planned is nobody else's business."""
    sale = offer.sale
    if sale is None or offer.price == offer.regular_price or offer.price != sale.price:
        return None
    return sale_shown(sale, offer.currency)


API = [
    PublicRoute(
        "GET",
        "/products/{product_id}",
        ProductsApi.product,
        tag="Browsing",
        shows=ProductShown,
        shared=True,
    ),
]


_COLOURS = {
    "black": "#111111",
    "white": "#ffffff",
    "grey": "#808080",
    "gray": "#808080",
    "silver": "#c0c0c0",
    "red": "#d01c1f",
    "burgundy": "#7a1f2b",
    "pink": "#f49ac1",
    "orange": "#f57c1f",
    "coral": "#ff7f50",
    "yellow": "#f7d117",
    "gold": "#d4af37",
    "beige": "#e8d9b5",
    "cream": "#f7f0d8",
    "brown": "#6f4a2d",
    "tan": "#d2b48c",
    "green": "#2e8b3d",
    "olive": "#6b7a2a",
    "mint": "#a8e0c2",
    "teal": "#12807a",
    "turquoise": "#35c7c0",
    "blue": "#1f5fc4",
    "navy": "#14274e",
    "purple": "#6a3d9a",
    "violet": "#7f5bd6",
    "lilac": "#c8a2c8",
}
COLOUR_NAMES = frozenset({"color", "colour", "finish"})


def colour_of(value: str) -> str:
    """Say in which colour a value is shown: `Forest green` is green; "" where its words are no colour."""
    found = [_COLOURS[word] for word in value.casefold().replace("-", " ").split() if word in _COLOURS]
    return found[-1] if len(found) == 1 else ""


class VariantOption(NamedTuple):
    name: str
    choices: list[dict[str, Any]]


class ProductPages:
    """The page of a product, the same for everybody."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        settings = shop.settings
        self._says_lowest = says_lowest_price(settings.lowest_price, settings.currency)

    async def product(self, request: Request) -> Response:
        product_id: ProductId = id_of(request.path_params["product_id"], ProductId)
        breaker, none, country = self._shop.breakers["reviews"], None, chosen_country(request)
        product, page, together, similar, with_tax = await asyncio.gather(
            self._product(product_id, country),
            breaker.ask(self._shop.reviews.newest(product_id, _REVIEWS), none),
            shelf(self._shop, self._shop.recommendations.bought_together(product_id, _A_SHELF)),
            shelf(self._shop, self._shop.recommendations.similar(product_id, _A_SHELF)),
            unless_away(self._shop.pricing.includes_tax(country or self._shop.settings.home_country)),
        )
        together, similar = await tiles_in(self._shop, country, together, similar)
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
        by_letter = await self._is_money(product, offer)
        delivery = await self._delivery(offer, country) if offer and not by_letter else None
        linked = LinkedProduct(product, origin + canonical, origin)
        if not by_letter:
            home = self._shop.settings.home_country
            linked.set_terms(delivery, country or home, self._shop.settings.return_days)
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
            by_letter=by_letter,
            return_days=int(self._shop.settings.return_days),
            with_tax=None if by_letter else with_tax,
            flash=await self._flash(offer.offer_id) if offer else None,
            details=_fixed(product),
            histogram=_histogram(product.histogram),
            reviews=page.reviews if page else [],
            together=together,
            similar=[each for each in similar if each not in together],
            linked=[
                linked.described(variant, offer, images, page.reviews if page else []),
                breadcrumbs(category.path if category else [], product.title, origin + canonical, origin),
            ],
            canonical=canonical,
            form=Form(AddItem),
            promotions=()
            if by_letter
            else await self._promotions(product, offer, category.path if category else ()),
            lowest=offer.lowest_price_30_days if offer and self._says_lowest else None,
            until=soonest(product.flips_at, hold_until(together, similar)),
        )

    async def _product(self, product_id: ProductId, country: str) -> Product:
        return await self._shop.prices.product(country, await self._shop.catalog.product(product_id))

    async def _flash(self, offer_id: OfferId) -> str | None:
        """Find the sale in which alone this offer is sold, if there is one."""
        watched = await unless_away(self._shop.flashsale.sale_offers()) or ()
        return next((each.sale_id for each in watched if each.offer_id == offer_id), None)

    async def _promotions(
        self, product: Product, offer: ProductOffer | None, path: Sequence[CategoryNode]
    ) -> Sequence[PromotionOnGoods]:
        """List what is taken off this in a cart by itself."""
        if offer is None:
            return ()
        goods = PricedGoods(
            offer.offer_id,
            product.product_id,
            offer.seller_id,
            1,
            offer.price,
            [each.slug for each in path],
            product.brand,
            product.tags,
        )
        return await unless_away(self._shop.promotions.on_goods(goods)) or ()

    async def _is_money(self, product: Product, offer: ProductOffer | None) -> bool:
        """Say whether this is a gift card, which comes by letter and has no tax."""
        if product.tax_class != GIFT_CARD_CLASS or offer is None:
            return False
        return bool(await unless_away(issuers(self._shop.sellers, [offer.seller_id])))

    async def _delivery(self, offer: ProductOffer, country: str) -> ShippingMethod | None:
        """Find the cheapest way to a country, or the shop's own, for one of this; None: there is none."""
        parcel = [PartToSend(offer.seller_id, offer.price, 1)]
        asked = self._shop.fulfilment.methods(country or self._shop.settings.home_country, "", parcel)
        try:
            return next(iter(await unless_away(asked) or ()), None)
        except AddressNotServed:
            return None


def _fixed(product: Product) -> dict[str, Any]:
    """Answer the attributes that nobody chooses: what is chosen above is not told again."""
    return {name: value for name, value in product.attributes.items() if name not in product.options}


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
    """List each option with its values, each a link to the variant that differs from this one least, with a
    swatch where its pictures or its colours tell the values apart."""
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
                    "image": nearest.images[0].url if nearest.images else "",
                    "colour": colour_of(value) if name.casefold() in COLOUR_NAMES else "",
                }
            )
        if len({each["image"] for each in choices}) < len(choices):  # a picture tells these values apart
            choices = [each | {"image": ""} for each in choices]
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


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    products = ProductPages(pages, shop)
    return [
        pages.route("/p/{product_id}", products.product, shared=True),
        pages.route("/p/{product_id}/{words}", products.product, shared=True),
    ]
