"""Markets: what goods cost by country, and the prices of their own that offers have there."""

import asyncio
from itertools import chain
from typing import Annotated

import asyncpg
from msgspec import Meta

from mercat import money
from mercat.catalog.changes import Changes
from mercat.catalog.market_rules import MarketRule, card_in, checked_markets
from mercat.catalog.messages import (
    MARKETS_MAX,
    CardPrice,
    Market,
    MarketAsk,
    MarketsChanged,
    MarketSet,
    MarketTerm,
    OwnPrices,
    SalePrice,
)
from mercat.catalog.rules import priced
from mercat.ids import OfferId, ProductId, SellerId
from mercat.kit import clock, sql
from mercat.kit.refusals import Invalid, NotFound
from mercat.settings import Settings

queries = sql.load("mercat.catalog")
MARKETS_FRESH_S = 0.5
"""How long after markets were set somebody may still go by those that were."""
NewMarkets = Annotated[list[Market], Meta(max_length=MARKETS_MAX)]


class Markets:
    """Keep markets, and say what offers cost in them."""

    def __init__(self, db: asyncpg.Pool, changes: Changes, settings: Settings) -> None:
        self._db = db
        self._changes = changes
        self._step = money.step(settings.currency)

    async def markets(self) -> MarketSet:
        """Return all markets."""
        async with self._db.acquire() as db, db.transaction(isolation="repeatable_read", readonly=True):
            version: int = await db.fetchval(queries.markets_version) or 0
            found = sql.rows(Market, await db.fetch(queries.markets)) if version else []
        return MarketSet(found, version)

    async def set_markets(self, markets: NewMarkets, version: int | None = None) -> MarketSet:
        """Set all markets, in place of those that were; prices of their own in a market that goes are gone.

        `version`: of those that are replaced, else MarketsChanged; none: whatever they are. Once it is
        answered, every process goes by them. Invalid points to what cannot be."""
        kept = checked_markets(markets, self._step)
        async with self._db.acquire() as db, db.transaction():
            reached: int = await db.fetchval(queries.begin_setting_markets, clock.now())
            if version is not None and version != reached - 1:
                raise MarketsChanged
            await db.execute(queries.drop_other_markets, [each.code for each in kept])
            rows = [
                (each.code, each.name, each.percent, each.round_to, each.less, each.rate) for each in kept
            ]
            await db.execute(queries.put_markets, *sql.columns(rows, 6))
            places = [(country, each.code) for each in kept for country in each.countries]
            await db.execute(queries.put_market_countries, *sql.columns(places, 2))
        await asyncio.sleep(MARKETS_FRESH_S)  # as long as somebody may go by what they read before
        return await self.markets()

    async def market_terms(self, asks: list[MarketAsk]) -> list[MarketTerm]:
        """Answer which offers do not cost what their market makes of their price, and what they do."""
        pairs = list(dict.fromkeys(chain.from_iterable(((a.market, o) for o in a.offers) for a in asks)))
        return sql.rows(MarketTerm, await self._db.fetch(queries.market_terms, *sql.columns(pairs, 2)))

    async def card_prices(self, market: Market, product_ids: list[ProductId]) -> list[CardPrice]:
        """Answer what the featured offers of products cost in a market; of what is not for sale nothing."""
        now, rule = clock.now(), MarketRule(market, self._step)
        found: list[CardPrice] = []
        for row in await self._db.fetch(queries.featured_prices, market.code, product_ids, now):
            sale = row["sale_price"] and SalePrice(
                price=row["sale_price"], begins_at=row["sale_from"], ends_at=row["sale_until"]
            )
            paid = priced(row["price"], row["compare_at_price"], sale, now)
            term = MarketTerm(market.code, OfferId(0), row["own"], row["same"])
            found.append(card_in(rule, term, CardPrice(ProductId(row["product_id"]), *paid)))
        return found

    async def own_prices(self, seller_id: SellerId, offer_id: OfferId) -> dict[str, int]:
        """Return what a seller's offer costs where it has a price of its own, by the codes of markets."""
        rows = await self._db.fetch(queries.own_prices, seller_id, offer_id)
        if not rows:
            raise NotFound("You have no such offer.")
        return {row["market"]: row["price"] for row in rows if row["market"]}

    async def set_own_prices(
        self, seller_id: SellerId, offer_id: OfferId, prices: OwnPrices
    ) -> dict[str, int]:
        """Set where a seller's offer has prices of its own, and which, in place of all that it had.

        Invalid points to a market that is not there, as `/prices/mars`."""
        codes = sorted(prices)
        for code in codes:
            if prices[code] <= 0 or prices[code] % self._step:
                words = "A price of its own is more than nothing, and its last decimal one of this currency."
                raise Invalid(words, pointer=f"/prices/{code}")
        async with self._db.acquire() as db, db.transaction():
            product_id = await db.fetchval(queries.lock_own_offer, seller_id, offer_id)
            if product_id is None:
                raise NotFound("You have no such offer.")
            known = {row["code"] for row in await db.fetch(queries.markets)}
            for code in codes:
                if code not in known:
                    raise Invalid("There is no such market.", pointer=f"/prices/{code}")
            await db.execute(queries.drop_own_prices, offer_id, codes)
            await db.execute(queries.put_own_prices, offer_id, codes, [prices[each] for each in codes])
        await self._changes.clear_caches([ProductId(product_id)])
        return await self.own_prices(seller_id, offer_id)
