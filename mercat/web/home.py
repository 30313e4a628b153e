"""The home page, and the page of help."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response

from mercat.search import SearchQuery, price_ranges
from mercat.shop import Shop
from mercat.web.here import chosen_country, tiles_in
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.results import words_of
from mercat.web.router import Endpoint
from mercat.web.tiles import hold_until, listed, shelf

_A_SHELF = 5
_WINDOW_MIN = 6
_SHOWN_SALES = ("planned", "open", "paused")


class HomePages:
    """What a shopper sees first."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop
        self._currency = shop.settings.currency

    async def home(self, request: Request) -> Response:
        lowest = price_ranges(self._currency)[0]
        _, cheap = lowest.bounds(self._currency)
        popular, rated, newest, bargains, sales = await asyncio.gather(
            shelf(self._shop, self._shop.recommendations.popular(8)),
            listed(self._shop, SearchQuery(in_stock=True, limit=_A_SHELF)),
            listed(self._shop, SearchQuery(sort="newest", in_stock=True, limit=_A_SHELF)),
            listed(self._shop, SearchQuery(in_stock=True, price_max=cheap, limit=_A_SHELF)),
            unless_away(self._shop.flashsale.sales()),
        )
        popular, rated, newest, bargains = await tiles_in(
            self._shop, chosen_country(request), popular, rated, newest, bargains
        )
        window = popular if len(popular) >= _WINDOW_MIN else rated + newest
        return await self._pages.public(
            request,
            "home.html",
            ["home"],
            sales=[sale for sale in sales or () if sale.state in _SHOWN_SALES],
            window=list({each.product_id: each for each in window}.values()),
            rated=rated,
            newest=newest,
            cheap=bargains,
            cheap_words=words_of("price", lowest.value, self._currency),
            cheap_range=lowest.value,
            until=hold_until(window, rated, newest, bargains),
        )

    async def help(self, request: Request) -> Response:
        return await self._pages.public(request, "help.html", ["help"])


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    home = HomePages(pages, shop)
    return [
        pages.route("/", home.home, shared=True),
        pages.route("/help", home.help, shared=True),
    ]
