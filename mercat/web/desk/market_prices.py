"""What a seller's offer costs by market: as the market makes it, or a price of its own."""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, NamedTuple

from msgspec import Meta, Struct

from mercat import money
from mercat.catalog import MARKETS_MAX, Market, MarketCode, MarketRule, Offer
from mercat.ids import OfferId
from mercat.kit.rpc import Caller
from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.desk.products import seller_id_of
from mercat.web.forms import FormErrors
from mercat.web.router import PublicRoute
from mercat.web.schemas import Amount, Price, amount_shown, minor


class OwnPricesGiven(Struct, frozen=True):
    """By the codes of markets what the offer costs there; in all others it costs what the market makes of its
    price."""

    prices: Annotated[dict[MarketCode, Price], Meta(max_length=MARKETS_MAX)]


class PriceByMarketShown(Struct, frozen=True, kw_only=True):
    market: str
    name: str
    price: Amount
    """What is paid there now."""
    was_price: Amount | None
    own: Amount | None
    """The offer's own price there; null: the market makes it."""
    suggested: Amount | None
    """What the market's rate of exchange makes of the offer's price. It is charged once it is its own."""


class PricesByMarketShown(Struct, frozen=True, kw_only=True):
    offer_id: OfferId
    price: Amount
    """What is paid where no market is."""
    currency: str
    markets: list[PriceByMarketShown]


class MarketPricesApi:
    """A seller's prices by market."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop

    async def offer_prices(self, caller: Caller, offer_id: OfferId) -> PricesByMarketShown:
        """Show what an offer costs in each market, and where it has a price of its own."""
        own = await self._shop.catalog.own_prices(seller_id_of(caller), offer_id)
        return await self._shown(offer_id, own)

    async def set_offer_prices(
        self, caller: Caller, offer_id: OfferId, given: OwnPricesGiven
    ) -> PricesByMarketShown:
        """Set where an offer has a price of its own, in place of all that it had. No sale reduces such a
        price."""
        currency = self._shop.settings.currency
        prices = {code: minor(each, currency, f"/prices/{code}") for code, each in given.prices.items()}
        own = await self._shop.catalog.set_own_prices(seller_id_of(caller), offer_id, prices)
        return await self._shown(offer_id, own)

    async def _shown(self, offer_id: OfferId, own: Mapping[str, int]) -> PricesByMarketShown:
        offer = (await self._shop.catalog.offers([offer_id]))[offer_id]
        return PricesByMarketShown(
            offer_id=offer_id,
            price=money.shown(offer.price, offer.currency),
            currency=offer.currency,
            markets=[
                PriceByMarketShown(
                    market=each.code,
                    name=each.name,
                    price=money.shown(there.price, offer.currency),
                    was_price=amount_shown(there.was_price, offer.currency),
                    own=amount_shown(own.get(each.code), offer.currency),
                    suggested=amount_shown(suggestion(each, offer), offer.currency),
                )
                for each, there in await prices_everywhere(self._shop, offer)
            ],
        )


async def prices_everywhere(shop: Shop, offer: Offer) -> list[tuple[Market, Offer]]:
    """Return an offer as it is in each market."""
    markets = (await shop.catalog.markets()).markets
    if not markets:
        return []
    found = await shop.prices.offers_of([(each.countries[0], {offer.offer_id: offer}) for each in markets])
    return [(market, each[offer.offer_id]) for market, each in zip(markets, found, strict=True)]


def suggestion(market: Market, offer: Offer) -> int | None:
    """Suggest what an offer could cost in a market, by its rate of exchange; None without one."""
    return MarketRule(market, money.step(offer.currency)).suggested(offer.regular_price)


API = [
    PublicRoute(
        "GET",
        "/seller/offers/{offer_id}/prices",
        MarketPricesApi.offer_prices,
        tag="Selling",
        needs="seller",
        scopes=["catalog:read"],
    ),
    PublicRoute(
        "PUT",
        "/seller/offers/{offer_id}/prices",
        MarketPricesApi.set_offer_prices,
        tag="Selling",
        needs="seller",
        scopes=["catalog:write"],
    ),
]


class PriceInMarket(NamedTuple):
    """A row of the form: a market, what is paid there, and what was typed as a price of its own."""

    code: str
    name: str
    price: int
    suggested: int | None
    typed: str
    wrong: str


async def rows_of(
    shop: Shop, offer: Offer, typed: Mapping[str, str] | None = None, errors: Mapping[str, str] | None = None
) -> list[PriceInMarket]:
    """List what an offer costs by market, for the form of its price."""
    everywhere = await prices_everywhere(shop, offer)
    own = await shop.catalog.own_prices(offer.seller_id, offer.offer_id) if everywhere else {}
    written = {code: rendering.decimal(amount, offer.currency) for code, amount in own.items()}
    return [
        PriceInMarket(
            market.code,
            market.name,
            there.price,
            suggestion(market, offer),
            (typed or {}).get(market.code, written.get(market.code, "")),
            (errors or {}).get(market.code, ""),
        )
        for market, there in everywhere
    ]


def read_own_prices(form: Mapping[str, str], currency: str) -> tuple[dict[str, int], FormErrors]:
    """Read the prices that were typed, by market; an empty field is none."""
    prices, errors = dict[str, int](), FormErrors()
    for code, typed in form.items():
        if not typed.strip():
            continue
        try:
            prices[code] = money.minor(Decimal(typed.strip()), currency)
            if prices[code] <= 0:
                raise ValueError
        except (ValueError, InvalidOperation):
            errors[code] = "A price is written as 12.50."
    return prices, errors
