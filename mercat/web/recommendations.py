"""What may please: bought together, popular, after what somebody bought."""

from collections.abc import Awaitable
from typing import Annotated

from msgspec import Meta, Struct

from mercat.ids import ProductId
from mercat.kit.http import Answer
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.cache import public_answer
from mercat.web.router import PublicRoute
from mercat.web.schemas import ProductCardShown, card
from mercat.web.tiles import recommended

ShelfLimit = Annotated[int, Meta(ge=1, le=100)]


class ShelfShown(Struct, frozen=True):
    products: list[ProductCardShown]


class RecommendationsApi:
    """What may please."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def around(self, product_id: ProductId, limit: ShelfLimit = 12) -> Answer:
        """List what is bought with a product, then what is like it."""
        await self._shop.catalog.product(product_id)
        asked = self._shop.recommendations.around(product_id, limit)
        return public_answer(await self._shelf(asked), product_id, "recommendations")

    async def for_you(self, caller: Caller | None, limit: ShelfLimit = 12) -> ShelfShown:
        """List what may please: after what one bought, or what is popular."""
        recommendations = self._shop.recommendations
        return await self._shelf(
            recommendations.for_you(caller.user_id, limit) if caller else recommendations.popular(limit)
        )

    async def _shelf(self, asked: Awaitable[list[ProductId]]) -> ShelfShown:
        return ShelfShown([card(document) for document in await recommended(self._shop, asked)])


API = [
    PublicRoute(
        "GET",
        "/products/{product_id}/recommendations",
        RecommendationsApi.around,
        tag="Opinions",
        shows=ShelfShown,
    ),
    PublicRoute("GET", "/recommendations", RecommendationsApi.for_you, tag="Opinions", shows=ShelfShown),
]
