"""The home page, and the page of help."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.search import Query
from mercat.shop import Shop
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.tiles import listed, shelf

_A_SHELF = 5
_SHOWN_SALES = ("planned", "open", "paused")


class HomePages:
    """What a shopper sees first."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._currency = shop.settings.currency

    async def home(self, request: Request) -> Response:
        cheap = 25 * 10 ** money.exponent(self._currency) - 1
        popular, rated, newest, bargains, sales = await asyncio.gather(
            shelf(self._shop, self._shop.recommendations.popular(8)),
            listed(self._shop, Query(sort="rating", in_stock=True, limit=_A_SHELF)),
            listed(self._shop, Query(sort="newest", in_stock=True, limit=_A_SHELF)),
            listed(self._shop, Query(sort="rating", in_stock=True, price_max=cheap, limit=_A_SHELF)),
            unless_away(self._shop.flashsale.sales()),
        )
        window = popular if len(popular) >= 6 else rated + newest
        return await self._pages.public(
            request,
            "home.html",
            ["home"],
            sales=[sale for sale in sales or () if sale.state in _SHOWN_SALES],
            window=list({each.product_id: each for each in window}.values()),
            rated=rated,
            newest=newest,
            cheap=bargains,
        )

    async def help(self, request: Request) -> Response:
        return await self._pages.public(request, "help.html", ["help"])


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    home = HomePages(pages, shop)
    return [
        pages.route("/", home.home, shared=True),
        pages.route("/help", home.help, shared=True),
    ]
