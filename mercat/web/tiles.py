"""A product as lists show it, and the short lists of pages."""

from collections.abc import Awaitable
from typing import NamedTuple

from mercat.events import Document
from mercat.ids import ProductId
from mercat.search import ProductCard, SearchQuery
from mercat.shop import Shop


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


def tile(product: ProductCard | Document) -> ProductTile:
    return ProductTile(
        product.product_id,
        product.title,
        product.price,
        product.currency,
        product.rating,
        product.review_count,
        product.image_url,
        product.in_stock,
        product.seller.name if isinstance(product, ProductCard) else product.seller_name,
    )


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
