"""What may please: bought together, popular, after what somebody bought or looked at."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Annotated

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import Response

from mercat.countries import CapitalCode
from mercat.events import Document
from mercat.ids import ProductId, parse
from mercat.kit.http import Answer
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web.cache import public_answer, soonest
from mercat.web.exposure import Exposure
from mercat.web.here import ChosenCountry, chosen_country, documents_in, tiles_in
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import ProductCardShown, card
from mercat.web.session import caller_of
from mercat.web.tiles import ProductTile, recommended, shelf

_A_SHELF = 5
_VIEWED_MAX = 12

ShelfLimit = Annotated[int, Meta(ge=1, le=100)]


class ShelfShown(Struct, frozen=True):
    products: list[ProductCardShown]


class RecommendationsApi:
    """What may please."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def around(
        self, product_id: ProductId, limit: ShelfLimit = 12, country: ChosenCountry = ""
    ) -> Answer:
        """List what is bought with a product, then what is like it."""
        await self._shop.catalog.product(product_id)
        asked = self._shop.recommendations.around(product_id, limit)
        found = await recommended(self._shop, asked)
        until = soonest(*(each.coming_prices[0].at for each in found if each.coming_prices))
        found = await documents_in(self._shop, country, found)
        return public_answer(_shelf(found), product_id, "recommendations", until=until)

    async def for_you(
        self, caller: Caller | None, limit: ShelfLimit = 12, country: ChosenCountry = ""
    ) -> ShelfShown:
        """List what may please: after what one bought, or what is popular."""
        recommendations = self._shop.recommendations
        asked = recommendations.for_you(caller.user_id, limit) if caller else recommendations.popular(limit)
        return await self._shelf(asked, country)

    async def popular_near(self, country: CapitalCode, limit: ShelfLimit = 12) -> ShelfShown:
        """List what sold lately to a country; nothing where nothing did."""
        return await self._shelf(self._shop.recommendations.popular_near(country, limit), country)

    async def for_cart(
        self, caller: Caller, limit: ShelfLimit = 12, country: ChosenCountry = ""
    ) -> ShelfShown:
        """List what is bought with what is in the cart, and what its owner buys again."""
        view = await self._shop.cart.show(caller.user_id, country)
        given = [item.product_id for item in view.items]
        asked = self._shop.recommendations.goes_with(given, limit, caller.user_id)
        return await self._shelf(asked, country)

    async def _shelf(self, asked: Awaitable[list[ProductId]], country: str) -> ShelfShown:
        return _shelf(await documents_in(self._shop, country, await recommended(self._shop, asked)))


def _shelf(found: Sequence[Document]) -> ShelfShown:
    return ShelfShown([card(document) for document in found])


API = [
    PublicRoute(
        "GET",
        "/products/{product_id}/recommendations",
        RecommendationsApi.around,
        tag="Opinions",
        shows=ShelfShown,
    ),
    PublicRoute("GET", "/recommendations", RecommendationsApi.for_you, tag="Opinions", shows=ShelfShown),
    PublicRoute(
        "GET", "/recommendations/popular", RecommendationsApi.popular_near, tag="Opinions", shows=ShelfShown
    ),
    PublicRoute(
        "GET",
        "/cart/recommendations",
        RecommendationsApi.for_cart,
        tag="Opinions",
        needs="guest",
        shows=ShelfShown,
    ),
]


class ShelfPages:
    """Shelves for one person: a page of them, and the piece of it that pages for everybody fetch."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def for_you(self, request: Request) -> Response:
        shown = await self._exposure(request)
        shelves = await self._shelves(request, shown)
        page = await self._pages.page(request, "for_you.html", 200, **shelves)
        return shown.of(page) if shown else page

    async def fragment(self, request: Request) -> Response:
        shown = await self._exposure(request)
        shelves = await self._shelves(request, shown)
        piece = self._pages.fragment(request, "shelves.html", 200, **shelves)
        return shown.of(piece) if shown else piece

    async def _exposure(self, request: Request) -> Exposure | None:
        experiments = self._pages.experiments
        return await experiments.exposure(request, "for_you_shelf") if experiments else None

    async def viewed(self, request: Request) -> Response:
        [viewed] = await tiles_in(self._shop, chosen_country(request), await self._viewed(request))
        return self._pages.fragment(request, "shelves.html", viewed=viewed)

    async def _shelves(self, request: Request, shown: Exposure | None) -> dict[str, list[ProductTile]]:
        """Fill the shelves; B of an experiment has what sells near where A has what goes with purchases."""
        caller = await caller_of(request)
        near, viewed = await asyncio.gather(_near(self._shop, caller), self._viewed(request))
        is_near = bool(shown and shown.arm == "B" and near)
        mine = near if is_near else await _for(self._shop, caller)
        near = [] if is_near else near
        mine, near, viewed = await tiles_in(self._shop, chosen_country(request), mine, near, viewed)
        return {"mine": mine, "near": near, "viewed": viewed}

    async def _viewed(self, request: Request) -> list[ProductTile]:
        """Show what a browser says that its person viewed, the latest first: nobody else keeps that."""
        given = request.query_params.get("viewed", "").split(",")[:_VIEWED_MAX]
        products = [product_id for each in given if (product_id := _product(each))]
        return (
            await shelf(self._shop, self._shop.recommendations.for_sale(products, _A_SHELF))
            if products
            else []
        )


def _product(written: str) -> ProductId | None:
    try:
        return parse(ProductId, written)
    except ValueError:
        return None


async def _for(shop: Shop, caller: Caller | None) -> list[ProductTile]:
    asked = shop.recommendations
    wanted = asked.for_you(caller.user_id, _A_SHELF) if caller else asked.popular(_A_SHELF)
    return await shelf(shop, wanted)


async def _near(shop: Shop, caller: Caller | None) -> list[ProductTile]:
    """Show what sells in the country of somebody's first address, or in the shop's own."""
    addresses = (await unless_away(shop.accounts.addresses(caller.user_id)) or ()) if caller else ()
    country = next((each.country for each in addresses), shop.settings.home_country)
    return await shelf(shop, shop.recommendations.popular_near(country.upper(), _A_SHELF))


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    shelves = ShelfPages(pages, shop)
    return [
        pages.route("/for-you", shelves.for_you),
        pages.route("/fragments/shelves", shelves.fragment),
        pages.route("/fragments/viewed", shelves.viewed),
    ]
