"""Markets on the operator's desk: what goods cost by country, and a preview of a product's prices."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, NamedTuple

from msgspec import Meta, Raw, Struct, field
from starlette.requests import Request
from starlette.responses import Response

from mercat import money
from mercat.catalog import (
    HUNDREDTHS_LEAST,
    HUNDREDTHS_MOST,
    MARKET_COUNTRIES_MAX,
    MARKETS_MAX,
    RATE_MOST,
    RATE_UNIT,
    Market,
    MarketCode,
    MarketCountries,
    MarketName,
    MarketSet,
    Product,
)
from mercat.ids import ProductId, parse
from mercat.kit.refusals import Invalid, Refusal
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.desk.listing_form import TypedPrice
from mercat.web.errors import message_of
from mercat.web.forms import Form, FormErrors, errors_of, number_in, read_form
from mercat.web.operator.page import operator_page
from mercat.web.pages import Pages
from mercat.web.router import Endpoint, PublicRoute
from mercat.web.schemas import Amount, Price, is_given, minor, no_amount, number_of
from mercat.web.session import with_role

_PATH = "/operator/markets"
_HUNDREDTHS = 100
PERCENT_LEAST, PERCENT_MOST = HUNDREDTHS_LEAST / _HUNDREDTHS, HUNDREDTHS_MOST / _HUNDREDTHS
CODES_MAX = 4 * MARKET_COUNTRIES_MAX
"""Letters of countries, each with a comma and a blank."""
_CODES = r"^[A-Za-z ,]+$"
_VERSION_MAX = 2**31 - 1
_SAID = {"set": "These prices stand from now on.", "removed": "The market is gone."}
PercentChange = Annotated[
    Raw,
    Meta(
        extra_json_schema={"type": "number", "minimum": PERCENT_LEAST, "maximum": PERCENT_MOST},
        description="More, or less with a minus, than everywhere else: 12.5, -5.",
    ),
]


ExchangeRate = Annotated[
    Raw,
    Meta(
        extra_json_schema={
            "type": ["number", "null"],
            "exclusiveMinimum": 0,
            "maximum": RATE_MOST / RATE_UNIT,
        },
        description="A rate of exchange, to six decimals, which suggests prices and computes none: 1.085.",
    ),
]


class MarketGiven(Struct, frozen=True, kw_only=True):
    """Countries, and how prices become theirs: by `percent`, then to the nearest multiple of `round_to` with
    `less` taken off, as 1 and 0.01 make 9.99. `rate` suggests sellers a price of their own there, in the
    shop's currency as all are, for a market whose money is worth that much: 0.92 suggests 9.20 for 10.00.
    `tax_included` is not read: the rates of tax say it."""

    code: MarketCode
    name: MarketName
    countries: MarketCountries
    percent: PercentChange = field(default_factory=lambda: Raw(b"0"))
    round_to: Price = field(default_factory=no_amount)
    less: Price = field(default_factory=no_amount)
    rate: ExchangeRate = field(default_factory=no_amount)
    currency: str | None = None
    """The shop's, which all is sold in; another one is refused."""
    tax_included: bool | None = None


class MarketsGiven(Struct, frozen=True):
    """All markets. `version`: of those that are replaced; none: whatever they are."""

    markets: Annotated[list[MarketGiven], Meta(max_length=MARKETS_MAX)]
    version: int | None = None


class MarketShown(Struct, frozen=True, kw_only=True):
    code: str
    name: str
    countries: list[str]
    percent: float
    round_to: Amount | None
    less: Amount | None
    rate: float | None
    currency: str
    tax_included: bool | None
    """Whether prices have the tax in them there; null: not in all of its countries alike."""


class MarketsShown(Struct, frozen=True):
    markets: list[MarketShown]
    version: int


class MarketsApi:
    """What goods cost by country."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def markets(self) -> MarketsShown:
        """Show all markets. What stands in none is sold at the prices of the offers."""
        return await self._shown(await self._shop.catalog.markets())

    async def set_markets(self, given: MarketsGiven) -> MarketsShown:
        """Set all markets, in place of those that were. Once it is answered, all prices are by them; what a
        quote said holds until it expires. Prices of their own in a market that goes are gone."""
        currency = self._shop.settings.currency
        markets = [_market(each, f"/markets/{n}", currency) for n, each in enumerate(given.markets)]
        return await self._shown(await self._shop.catalog.set_markets(markets, given.version))

    async def _shown(self, known: MarketSet) -> MarketsShown:
        currency, included = self._shop.settings.currency, await _tax_included(self._shop, known.markets)
        shown = [
            MarketShown(
                code=each.code,
                name=each.name,
                countries=each.countries,
                percent=each.percent / _HUNDREDTHS,
                round_to=money.shown(each.round_to, currency) if each.round_to else None,
                less=money.shown(each.less, currency) if each.less else None,
                rate=None if each.rate is None else each.rate / RATE_UNIT,
                currency=currency,
                tax_included=included[each.code],
            )
            for each in known.markets
        ]
        return MarketsShown(shown, known.version)


async def _tax_included(shop: Shop, markets: Sequence[Market]) -> dict[str, bool | None]:
    """Say by market whether its prices have the tax in them; None: its countries differ."""
    if not markets:
        return {}
    rules = (await shop.pricing.tax_rules()).rules
    included = {rule.country for rule in rules if rule.included}
    found: dict[str, bool | None] = {}
    for market in markets:
        said = {country in included for country in market.countries}
        found[market.code] = said.pop() if len(said) == 1 else None
    return found


def _market(given: MarketGiven, at: str, currency: str) -> Market:
    if given.currency not in (None, currency):
        words = f"This shop sells in {currency} alone, in every market. Rates of exchange make no price here."
        raise Invalid(words, pointer=f"{at}/currency")
    return Market(
        code=given.code,
        name=given.name,
        countries=given.countries,
        percent=_hundredths(given.percent, f"{at}/percent"),
        round_to=minor(given.round_to, currency, f"{at}/round_to") if is_given(given.round_to) else 0,
        less=minor(given.less, currency, f"{at}/less") if is_given(given.less) else 0,
        rate=_rate(given.rate, f"{at}/rate") if is_given(given.rate) else None,
    )


def _rate(given: Raw, pointer: str) -> int:
    try:
        return rate_of(number_of(given))
    except ValueError as error:
        raise Invalid(f"This is no rate: {error}.", pointer=pointer) from None


def rate_of(number: Decimal) -> int:
    """Return a rate of exchange in millionths; ValueError where it cannot be one."""
    millionths = number * RATE_UNIT
    if millionths != millionths.to_integral_value() or not 1 <= millionths <= RATE_MOST:
        raise ValueError(f"it has six decimals, and is more than 0 and at most {RATE_MOST // RATE_UNIT:,}")
    return int(millionths)


def rate_text(millionths: int) -> str:
    """Write a rate of exchange as it is typed: 1.085."""
    return f"{Decimal(millionths) / RATE_UNIT:f}"


def _hundredths(given: Raw, pointer: str) -> int:
    try:
        return hundredths_of(number_of(given))
    except ValueError as error:
        raise Invalid(f"This is no percentage: {error}.", pointer=pointer) from None


def hundredths_of(percent: Decimal) -> int:
    """Return a percentage in hundredths; ValueError where it cannot be one."""
    number = percent * _HUNDREDTHS
    if number != number.to_integral_value() or not HUNDREDTHS_LEAST <= number <= HUNDREDTHS_MOST:
        raise ValueError(f"it has two decimals, from {PERCENT_LEAST} to {PERCENT_MOST:g}")
    return int(number)


API = [
    PublicRoute("GET", "/operator/markets", MarketsApi.markets, tag="Running the shop", needs="operator"),
    PublicRoute(
        "PUT",
        "/operator/markets",
        MarketsApi.set_markets,
        tag="Running the shop",
        needs="operator",
        refuses=["markets_changed"],
    ),
]

CountryCodes = Annotated[
    str,
    Meta(
        min_length=2,
        max_length=CODES_MAX,
        pattern=_CODES,
        extra={"words": "Countries by their codes, such as DE, AT."},
    ),
]


class MarketForm(Struct, frozen=True, kw_only=True):
    """A market as it is typed. One of the same code is replaced."""

    code: MarketCode
    name: MarketName
    countries: CountryCodes
    percent: Annotated[float, Meta(ge=PERCENT_LEAST, le=PERCENT_MOST)] = 0
    round_to: TypedPrice = 0
    less: TypedPrice = 0
    rate: Annotated[float, Meta(gt=0, le=RATE_MOST / RATE_UNIT)] | None = None


def _typed_market(asked: MarketForm) -> Market | FormErrors:
    """Read a market that was typed, its numbers by the rules of the API."""
    errors, percent, rate = FormErrors(), 0, None
    try:
        percent = hundredths_of(Decimal(str(asked.percent)))
    except ValueError as error:
        errors["percent"] = f"This is no percentage: {error}."
    try:
        rate = None if asked.rate is None else rate_of(Decimal(str(asked.rate)))
    except ValueError as error:
        errors["rate"] = f"This is no rate: {error}."
    return errors or Market(
        code=asked.code,
        name=asked.name,
        countries=asked.countries.replace(",", " ").split(),
        percent=percent,
        round_to=asked.round_to,
        less=asked.less,
        rate=rate,
    )


class PriceThere(NamedTuple):
    """What a product costs in a market."""

    name: str
    price: int | None
    was_price: int | None


class MarketPages:
    """Markets as a page."""

    def __init__(self, pages: Pages, shop: Shop) -> None:
        self._pages = pages
        self._shop = shop

    async def markets(
        self, request: Request, form: Form | None = None, refused: Refusal | None = None
    ) -> Response:
        await with_role(request, "operator")
        known = await self._shop.catalog.markets()
        wanted = request.query_params.get("product", "") if request.method == "GET" else ""
        product = await self._product(wanted) if wanted else None
        return await operator_page(
            self._pages,
            request,
            "markets",
            "operator_markets.html",
            refused.status if refused else (422 if form and form.errors else 200),
            known=known,
            included=await _tax_included(self._shop, known.markets),
            rates={each.code: rate_text(each.rate) for each in known.markets if each.rate is not None},
            form=form or Form(MarketForm, self._typed(request, known)),
            wanted=wanted,
            product=product,
            prices=await self._prices(product, known.markets) if product else [],
            currency=self._shop.settings.currency,
            said=_SAID.get(request.query_params.get("said", "")),
            refused=message_of(refused) if refused and not (form and form.errors) else None,
        )

    async def change(self, request: Request) -> Response:
        """Add a market, or put it in the place of the one of its code; or remove one, as `remove` says."""
        form = await self._pages.form(request)
        await with_role(request, "operator")
        standing = await self._shop.catalog.markets()
        version = number_in(form.get("version"), standing.version, 0, _VERSION_MAX)
        if removed := form.get("remove"):
            left = [each for each in standing.markets if each.code != removed]
            return await self._set(request, left, version, "removed", None)
        asked = read_form(form, MarketForm, currency=self._shop.settings.currency)
        if isinstance(asked, FormErrors):
            return await self.markets(request, Form(MarketForm, form, asked))
        market = _typed_market(asked)
        if isinstance(market, FormErrors):
            return await self.markets(request, Form(MarketForm, form, market))
        others = [each for each in standing.markets if each.code != market.code]
        return await self._set(request, [market, *others], version, "set", form)

    async def _set(
        self, request: Request, markets: list[Market], version: int, said: str, form: dict[str, str] | None
    ) -> Response:
        try:
            await self._shop.catalog.set_markets(markets, version)
        except Invalid as refused:
            names = {
                name.split("/")[-1] if "countries" not in name else "countries": words
                for name, words in errors_of(refused).items()
            }
            return await self.markets(request, Form(MarketForm, form, names), refused)
        except Refusal as refused:
            return await self.markets(request, None, refused)
        return self._pages.redirect(request, f"{_PATH}?said={said}")

    def _typed(self, request: Request, known: MarketSet) -> dict[str, str]:
        """Write the market that is to be changed as it would have been typed."""
        code, currency = request.query_params.get("change", ""), self._shop.settings.currency
        market = next((each for each in known.markets if each.code == code), None)
        if market is None:
            return {}
        return {
            "code": market.code,
            "name": market.name,
            "countries": ", ".join(market.countries),
            "percent": f"{market.percent / _HUNDREDTHS:g}",
            "round_to": rendering.decimal(market.round_to, currency),
            "less": rendering.decimal(market.less, currency),
            "rate": "" if market.rate is None else rate_text(market.rate),
        }

    async def _product(self, wanted: str) -> Product | None:
        """Find the product of an id, or of an address that has it; None where there is none."""
        written = next((part for part in wanted.split("/") if part.startswith(ProductId.prefix)), wanted)
        try:
            return await self._shop.catalog.product(parse(ProductId, written.strip()))
        except (ValueError, Refusal):
            return None

    async def _prices(self, product: Product, markets: Sequence[Market]) -> list[PriceThere]:
        found = [PriceThere("Everywhere else", product.price, product.was_price)]
        for market in markets:
            there = await self._shop.prices.product(market.countries[0], product)
            found.append(PriceThere(market.name, there.price, there.was_price))
        return found


def page_routes(pages: Pages, shop: Shop) -> list[Endpoint]:
    markets = MarketPages(pages, shop)
    return [pages.route(_PATH, markets.markets), pages.route(_PATH, markets.change, "POST")]
