from collections.abc import Awaitable
from typing import Annotated

from msgspec import Meta

from mercat.ids import ProductId, ReviewId
from mercat.kit.refusals import Unavailable
from mercat.kit.rpc import Answer, Caller
from mercat.reviews import NewReview, Page, Review
from mercat.reviews import Sort as ReviewSort
from mercat.services import Services
from mercat.web import schemas as shapes
from mercat.web.responses import card, public
from mercat.wishlist import Item

ShelfLimit = Annotated[int, Meta(ge=1, le=100)]


class Opinions:
    """What people say, keep and may like: the shop sells without any of it."""

    def __init__(self, shop: Services) -> None:
        self._shop = shop

    async def reviews(
        self,
        product_id: ProductId,
        limit: shapes.Limit = 20,
        sort: ReviewSort = "newest",
        cursor: ReviewId | None = None,
    ) -> Answer:
        """What buyers say of a product."""
        await self._known(product_id)
        asked = self._shop.reviews.newest(product_id, limit, cursor, sort)
        page = await self._shop.breakers["reviews"].ask(asked, Page([], 0))
        shown = shapes.ReviewsShown([review_shown(review) for review in page.reviews], page.total, page.next)
        return public(shown, product_id, f"reviews/{product_id}")

    async def review(self, caller: Caller, product_id: ProductId, review: NewReview) -> shapes.ReviewShown:
        """Says what a product is like; one review a buyer."""
        await self._known(product_id)
        return review_shown(await self._shop.reviews.write(caller, product_id, review))

    async def helpful(self, caller: Caller, review_id: ReviewId) -> shapes.VotesShown:
        """Says that a review helped. Saying it again changes nothing."""
        votes = await self._shop.reviews.helpful(caller, review_id)
        return shapes.VotesShown(review_id, votes.helpful)

    async def wishlist(self, caller: Caller) -> shapes.WishlistShown:
        """What one keeps to find again, the newest first."""
        nothing: list[Item] | None = None
        items = await self._shop.breakers["wishlist"].ask(self._shop.wishlist.items(caller.user_id), nothing)
        if items is None:
            raise Unavailable("Wishlists are not there at the moment. Nothing is lost; try again shortly.")
        documents = await self._shop.catalog.cards([item.product_id for item in items])
        cards = {document.product_id: card(document) for document in documents}
        return shapes.WishlistShown(
            [shapes.WishShown(item.product_id, item.added_at, cards.get(item.product_id)) for item in items]
        )

    async def wish(self, caller: Caller, product_id: ProductId) -> shapes.Wished:
        """Keeps a product. Once more changes nothing."""
        await self._known(product_id)
        await self._shop.wishlist.put(caller.user_id, product_id)
        return shapes.Wished(product_id, True)

    async def unwish(self, caller: Caller, product_id: ProductId) -> shapes.Wished:
        """Keeps a product no longer."""
        await self._shop.wishlist.drop(caller.user_id, product_id)
        return shapes.Wished(product_id, False)

    async def around(self, product_id: ProductId, limit: ShelfLimit = 12) -> Answer:
        """What is bought with a product, or is like it."""
        await self._known(product_id)
        asked = self._shop.recommendations.bought_together(product_id, limit)
        return public(await self._shelf(asked), product_id, "recommendations")

    async def for_you(self, caller: Caller | None, limit: ShelfLimit = 12) -> shapes.ShelfShown:
        """What may please: after what one bought, or what is popular."""
        recommendations = self._shop.recommendations
        return await self._shelf(
            recommendations.for_you(caller.user_id, limit) if caller else recommendations.popular(limit)
        )

    async def _shelf(self, asked: Awaitable[list[ProductId]]) -> shapes.ShelfShown:
        nothing: list[ProductId] = []
        products = await self._shop.breakers["recommendations"].ask(asked, nothing)
        return shapes.ShelfShown([card(document) for document in await self._shop.catalog.cards(products)])

    async def _known(self, product_id: ProductId) -> None:
        await self._shop.catalog.product(product_id)


def review_shown(review: Review) -> shapes.ReviewShown:
    return shapes.ReviewShown(
        review_id=review.review_id,
        author=review.author,
        stars=review.stars,
        title=review.title,
        body=review.body,
        verified=review.verified,
        helpful=review.helpful,
        written_at=review.written_at,
    )
