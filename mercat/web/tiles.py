"""A product as lists show it, and the short lists of pages."""

from collections.abc import Awaitable, Sequence
from datetime import datetime
from typing import NamedTuple

from mercat.events import Document
from mercat.ids import ProductId
from mercat.search import IndexedCard, SearchQuery
from mercat.shop import Shop
from mercat.web.cache import soonest


class ProductTile(NamedTuple):
    """A product as a list shows it."""

    product_id: ProductId
    title: str
    price: int
    currency: str
    rating: float
    review_count: int
    image_url: str
    in_stock: bool
    seller_name: str
    was_price: int | None
    until: datetime | None
    """When a sale of it begins or ends next."""


def tile(product: IndexedCard | Document) -> ProductTile:
    coming = product.coming_prices
    return ProductTile(
        product.product_id,
        product.title,
        product.price,
        product.currency,
        product.rating,
        product.review_count,
        product.image_url,
        product.in_stock,
        product.seller.name if isinstance(product, IndexedCard) else product.seller_name,
        product.was_price,
        coming[0].at if coming else None,
    )


def hold_until(*lists: Sequence[ProductTile]) -> datetime | None:
    """Say how long the prices of tiles hold, where that is known."""
    return soonest(*(each.until for tiles in lists for each in tiles))


async def recommended(shop: Shop, wanted: Awaitable[list[ProductId]]) -> list[Document]:
    """Read products that were recommended; none while recommendations are away."""
    none: list[ProductId] = []
    found = await shop.breakers["recommendations"].ask(wanted, none)
    return await shop.catalog.cards(found) if found else []


async def shelf(shop: Shop, wanted: Awaitable[list[ProductId]]) -> list[ProductTile]:
    """Show products that were recommended as tiles."""
    return [tile(each) for each in await recommended(shop, wanted)]


async def listed(shop: Shop, query: SearchQuery) -> list[ProductTile]:
    """Show what a search finds as tiles; nothing while search is away."""
    found = await shop.breakers["search"].ask(shop.search.find(query), None)
    return [tile(card) for card in found.cards()] if found else []
