"""What a product's page tells machines, as schema.org has it: for search engines and whoever reads pages.

Sources: schema.org; Google, "Merchant listing structured data" and "Product variant structured data"."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from mercat.catalog import Product, ProductOffer, Variant
from mercat.fulfilment import ShippingMethod
from mercat.reviews import Review
from mercat.web import rendering
from mercat.web.category_tree import CategoryNode

_LETTERS_MAX = 1_000
"""Of a text."""
_VARIANTS_MAX = 100
_REVIEWS = 3
VARIES_BY = {
    "color": "color",
    "colour": "color",
    "size": "size",
    "material": "material",
    "pattern": "pattern",
}
"""Options that schema.org and Google have a word for."""
_SCHEMA = "https://schema.org"
Linked = dict[str, Any]


class LinkedProduct:
    """Describe a product with its variants and offers. `url`: of its page; `origin`: begins each address."""

    def __init__(self, product: Product, url: str, origin: str) -> None:
        self._product = product
        self._url = url
        self._origin = origin
        self._terms: Linked = {}

    def set_terms(self, delivery: ShippingMethod | None, country: str, return_days: float) -> None:
        """Say how offers are delivered and taken back."""
        policy = {"@type": "MerchantReturnPolicy", "applicableCountry": country}
        days = int(return_days)
        self._terms["hasMerchantReturnPolicy"] = policy | (
            {
                "returnPolicyCategory": f"{_SCHEMA}/MerchantReturnFiniteReturnWindow",
                "merchantReturnDays": days,
                "returnMethod": f"{_SCHEMA}/ReturnByMail",
                "returnFees": f"{_SCHEMA}/ReturnFeesCustomerResponsibility",
            }
            if days
            else {"returnPolicyCategory": f"{_SCHEMA}/MerchantReturnNotPermitted"}
        )
        if delivery is None:
            return
        self._terms["shippingDetails"] = {
            "@type": "OfferShippingDetails",
            "shippingRate": {
                "@type": "MonetaryAmount",
                "value": rendering.decimal(delivery.price, delivery.currency),
                "currency": delivery.currency,
            },
            "shippingDestination": {"@type": "DefinedRegion", "addressCountry": country},
            "deliveryTime": {
                "@type": "ShippingDeliveryTime",
                "handlingTime": _days(0, 1),
                "transitTime": _days(max(1, delivery.days - 1), max(1, delivery.days)),
            },
        }

    def described(
        self,
        variant: Variant | None,
        offer: ProductOffer | None,
        images: Sequence[dict[str, str]],
        reviews: Sequence[Review],
    ) -> Linked:
        """Describe what the page shows: a product, or a group of variants where there are several."""
        product = self._product
        shown: Linked = {"@context": _SCHEMA} | self._common(images)
        if len(product.variants) > 1:
            shown |= {
                "@type": "ProductGroup",
                "productGroupID": str(product.product_id),
                "variesBy": [f"{_SCHEMA}/{VARIES_BY.get(name.casefold(), name)}" for name in product.options],
                "hasVariant": [self._variant(each) for each in product.variants[:_VARIANTS_MAX]],
            }
        else:
            only = variant or next(iter(product.variants), None)
            shown |= {"@type": "Product"} | self._codes(only)
            if offer:
                shown["offers"] = self._offers(only.offers if only else [offer], offer, self._url)
        return shown | self._opinions(reviews)

    def _common(self, images: Sequence[dict[str, str]]) -> Linked:
        product = self._product
        shown: Linked = {
            "@type": "Product",
            "name": product.title,
            "description": product.description[:_LETTERS_MAX],
            "sku": str(product.product_id),
            "url": self._url,
            "image": [rendering.absolute(image["url"], self._origin) for image in images],
            "category": " > ".join(each.name for each in product.category_path),
        }
        if product.brand:
            shown["brand"] = {"@type": "Brand", "name": product.brand}
        return shown

    def _variant(self, variant: Variant) -> Linked:
        product = self._product
        url = f"{self._url}?variant={variant.sku_id}"
        image = variant.images[0].url if variant.images else product.image_url
        shown: Linked = {
            "@type": "Product",
            "name": f"{product.title}, {', '.join(variant.options.values())}",
            "description": product.description[:_LETTERS_MAX],
            "url": url,
            "image": rendering.absolute(image, self._origin),
        }
        shown |= {"sku": str(variant.sku_id)} | self._codes(variant)
        for name, value in variant.options.items():
            if word := VARIES_BY.get(name.casefold()):
                shown[word] = value
        others = [
            {"@type": "PropertyValue", "name": name, "value": value}
            for name, value in variant.options.items()
            if name.casefold() not in VARIES_BY
        ]
        if others:
            shown["additionalProperty"] = others
        if variant.offers:
            shown["offers"] = self._offers(variant.offers, variant.offers[0], url)
        return shown

    def _codes(self, variant: Variant | None) -> Linked:
        codes: Linked = {}
        if variant and variant.sku:
            codes["sku"] = variant.sku
        if variant and variant.gtin:
            codes["gtin"] = variant.gtin
        return codes

    def _offers(self, offers: Sequence[ProductOffer], featured: ProductOffer, url: str) -> Linked:
        """Describe one offer, or what several sellers ask."""
        if len(offers) < 2:
            return self._offer(featured, url)
        prices = [each.price for each in offers]
        currency = featured.currency
        return {
            "@type": "AggregateOffer",
            "lowPrice": rendering.decimal(min(prices), currency),
            "highPrice": rendering.decimal(max(prices), currency),
            "price": rendering.decimal(featured.price, currency),
            "priceCurrency": currency,
            "offerCount": len(offers),
            "offers": [self._offer(each, url) for each in offers],
        }

    def _offer(self, offer: ProductOffer, url: str) -> Linked:
        return (
            {
                "@type": "Offer",
                "price": rendering.decimal(offer.price, offer.currency),
                "priceCurrency": offer.currency,
                "availability": f"{_SCHEMA}/{'InStock' if offer.in_stock else 'OutOfStock'}",
                "itemCondition": f"{_SCHEMA}/{offer.condition.capitalize()}Condition",
                "seller": {"@type": "Organization", "name": offer.seller_name},
                "url": url,
            }
            | self._terms
            | _reduced(offer)
        )

    def _opinions(self, reviews: Sequence[Review]) -> Linked:
        shown: Linked = {}
        if self._product.review_count:
            shown["aggregateRating"] = {
                "@type": "AggregateRating",
                "ratingValue": round(self._product.rating, 1),
                "reviewCount": self._product.review_count,
            }
        if reviews:
            shown["review"] = [
                {
                    "@type": "Review",
                    "reviewRating": {"@type": "Rating", "ratingValue": each.stars},
                    "author": {"@type": "Person", "name": each.author or "A buyer"},
                    "reviewBody": each.body[:_LETTERS_MAX],
                    "datePublished": date.isoformat(each.written_at.date()),
                }
                for each in reviews[:_REVIEWS]
            ]
        return shown


def _reduced(offer: ProductOffer) -> Linked:
    """Describe a reduction: the price that is struck through, and until when the other one holds."""
    if offer.was_price is None:
        return {}
    found: Linked = {
        "priceSpecification": {
            "@type": "UnitPriceSpecification",
            "priceType": f"{_SCHEMA}/StrikethroughPrice",
            "price": rendering.decimal(offer.was_price, offer.currency),
            "priceCurrency": offer.currency,
        }
    }
    sale = offer.sale
    if sale and sale.ends_at and offer.price == sale.price < offer.regular_price:
        found["priceValidUntil"] = sale.ends_at.isoformat()
    return found


def breadcrumbs(path: Sequence[CategoryNode], title: str, url: str, origin: str) -> Linked:
    """Describe the way from the root of the tree to a product."""
    steps = [("Home", f"{origin}/"), *((each.name, f"{origin}/c/{each.slug}") for each in path), (title, url)]
    return {
        "@context": _SCHEMA,
        "@type": "BreadcrumbList",
        "itemListElement": [
            {"@type": "ListItem", "position": n, "name": name, "item": address}
            for n, (name, address) in enumerate(steps, 1)
        ],
    }


def _days(least: int, most: int) -> Linked:
    return {"@type": "QuantitativeValue", "minValue": least, "maxValue": most, "unitCode": "DAY"}
