"""What offers, products and cards cost where somebody is: for who shows prices, and who charges them.

Where there are no markets this costs nothing but a look at that twice a second.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from mercat import money
from mercat.catalog.market_rules import MarketRule, offer_in, product_in
from mercat.catalog.markets import MARKETS_FRESH_S
from mercat.catalog.messages import CardPrice, Market, MarketAsk, MarketSet, MarketTerm, Offer, Product
from mercat.ids import OfferId, ProductId
from mercat.kit.snapshot import Snapshot
from mercat.settings import Settings

if TYPE_CHECKING:
    from mercat.catalog.service import Catalog

Priced = Mapping[OfferId, Offer]


class PricesByCountry:
    """Turn the prices that everybody sees into those of a country; "" is the shop's own."""

    def __init__(self, catalog: "Catalog", settings: Settings) -> None:
        self._catalog = catalog
        self._step = money.step(settings.currency)
        self._home = settings.home_country
        self._known: Snapshot[MarketSet] = Snapshot(catalog.markets, MARKETS_FRESH_S)

    async def all(self) -> Sequence[Market]:
        """List the markets of now."""
        return (await self._known.get()).markets

    async def market_of(self, country: str) -> Market | None:
        """Find the market of a country; None: prices are there as everywhere."""
        country = (country or self._home).upper()
        return next((each for each in await self.all() if country in each.countries), None)

    async def offers(self, country: str, offers: dict[OfferId, Offer]) -> dict[OfferId, Offer]:
        """Return offers as they are in a country."""
        if not offers or await self.market_of(country) is None:
            return offers
        [found] = await self.offers_of([(country, offers)])
        return found

    async def offers_of(self, asks: Sequence[tuple[str, Priced]]) -> list[dict[OfferId, Offer]]:
        """Return offers as they are in countries, each set in its own: one statement for all."""
        markets = [await self.market_of(country) for country, _ in asks]
        wanted = [
            MarketAsk(market.code, list(offers))
            for market, (_, offers) in zip(markets, asks, strict=True)
            if market and offers
        ]
        terms = await self._terms(wanted) if wanted else {}
        return [
            dict(offers) if market is None else self._in(market, offers, terms)
            for market, (_, offers) in zip(markets, asks, strict=True)
        ]

    async def product(self, country: str, product: Product) -> Product:
        """Return a product as it is in a country."""
        market = await self.market_of(country)
        if market is None or not product.offers:
            return product
        terms = await self._terms([MarketAsk(market.code, [each.offer_id for each in product.offers])])
        here = {offer_id: term for (_, offer_id), term in terms.items()}
        return product_in(MarketRule(market, self._step), product, here)

    async def cards(
        self, country: str, product_ids: Sequence[ProductId]
    ) -> dict[ProductId, CardPrice] | None:
        """Return what products cost in a country, one statement for all; None: as everywhere."""
        market = await self.market_of(country)
        if market is None:
            return None
        found = (
            await self._catalog.card_prices(market, list(dict.fromkeys(product_ids))) if product_ids else []
        )
        return {each.product_id: each for each in found}

    async def _terms(self, asks: list[MarketAsk]) -> dict[tuple[str, OfferId], MarketTerm]:
        found = await self._catalog.market_terms(asks)
        return {(each.market, each.offer_id): each for each in found}

    def _in(
        self, market: Market, offers: Priced, terms: Mapping[tuple[str, OfferId], MarketTerm]
    ) -> dict[OfferId, Offer]:
        rule = MarketRule(market, self._step)
        return {key: offer_in(rule, each, terms.get((market.code, key))) for key, each in offers.items()}
