"""What goods cost where a visitor is: the country that they chose, else the shop's own.

Pages learn it from a cookie, the API from the parameter `country`. Who has chosen sees pages of their own;
all others see what caches keep for everybody.
"""

from collections.abc import Sequence
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Raw, Struct, structs
from starlette.requests import Request
from starlette.responses import Response

from mercat.events import Document
from mercat.kit import clock, codec
from mercat.kit.rpc import Caller
from mercat.search import IndexedCard
from mercat.shop import Shop
from mercat.web.cache import COUNTRY
from mercat.web.forms import read_form
from mercat.web.optional import unless_away
from mercat.web.pages import Pages
from mercat.web.router import Endpoint
from mercat.web.schemas import ShownCards, shown_cards
from mercat.web.tiles import ProductTile

CHOSEN_S = 31_536_000
ChosenCountry = Annotated[
    str,
    Meta(
        pattern=r"^([A-Za-z]{2})?$",
        description="Where it goes (ISO 3166-1), for the prices of there; the shop's own country without.",
        extra={"words": "Two letters, such as AT (ISO 3166-1)."},
    ),
]


def chosen_country(request: Request) -> str:
    """Read which country a visitor chose; "" where none, or what is no country's code."""
    given = request.cookies.get(COUNTRY, "")
    return given.upper() if len(given) == 2 and given.isascii() and given.isalpha() else ""


async def country_of(shop: Shop, request: Request, caller: Caller | None) -> str:
    """Say where somebody is for whom prices are shown: as they chose, else as their first address says.

    Nobody's addresses are looked at in a shop without markets."""
    chosen = chosen_country(request)
    if chosen or caller is None or not await shop.prices.all():
        return chosen
    addresses = await unless_away(shop.accounts.addresses(caller.user_id)) or ()
    return next((each.country for each in addresses), "")


def remember_country(response: Response, country: str, *, secure: bool) -> None:
    """Have a browser say from now on where its visitor is; "" forgets it."""
    if country:
        response.set_cookie(COUNTRY, country, CHOSEN_S, httponly=True, samesite="lax", secure=secure)
    else:
        response.delete_cookie(COUNTRY)


async def tiles_in(shop: Shop, country: str, *lists: Sequence[ProductTile]) -> list[list[ProductTile]]:
    """Show lists of tiles at the prices of a country; what is not for sale any more keeps its own."""
    wanted = [each.product_id for tiles in lists for each in tiles]
    prices = await shop.prices.cards(country, wanted)
    if prices is None:
        return [list(each) for each in lists]
    return [
        [
            each._replace(price=found.price, was_price=found.was_price)
            if (found := prices.get(each.product_id))
            else each
            for each in tiles
        ]
        for tiles in lists
    ]


async def documents_in(shop: Shop, country: str, products: Sequence[Document]) -> list[Document]:
    """Return products of the catalogue at the prices of a country."""
    prices = await shop.prices.cards(country, [each.product_id for each in products])
    if prices is None:
        return list(products)
    return [
        structs.replace(each, price=found.price, was_price=found.was_price)
        if (found := prices.get(each.product_id))
        else each
        for each in products
    ]


async def cards_in(shop: Shop, country: str, cards: Sequence[Raw]) -> ShownCards | None:
    """Show the cards that search has at the prices of a country; None: they are as everywhere."""
    if await shop.prices.market_of(country) is None:
        return None
    now = clock.now()
    indexed = [codec.decode(bytes(each), IndexedCard).at(now) for each in cards]
    prices = await shop.prices.cards(country, [each.product_id for each in indexed]) or {}
    moved = [
        structs.replace(each, price=found.price, was_price=found.was_price, coming_prices=[])
        if (found := prices.get(each.product_id))
        else each
        for each in indexed
    ]
    shown = shown_cards([Raw(codec.encode(each)) for each in moved])
    ends = [found.until for found in prices.values() if found.until]
    return ShownCards(shown.cards, min(ends, default=shown.until))


class CountryForm(Struct, frozen=True):
    """Where a visitor is; none: where the shop is."""

    country: ChosenCountry = ""


class CountryPages:
    """Takes what visitors choose at the foot of each page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._secure = shop.settings.secure_cookies

    async def choose(self, request: Request) -> Response:
        form = await self._pages.form(request, public=True)
        asked = read_form(form, CountryForm)
        response = self._pages.redirect(request, _back(request))
        if isinstance(asked, CountryForm):
            remember_country(response, asked.country.upper(), secure=self._secure)
        return response


def _back(request: Request) -> str:
    """Return the address here that a form was sent from; the first page where a browser does not say."""
    came = urlsplit(request.headers.get("referer", ""))
    path = came.path if came.path.startswith("/") and not came.path.startswith("//") else "/"
    return f"{path}?{came.query}" if came.query else path


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    return [pages.route("/country", CountryPages(pages, shop).choose, "POST")]
