"""What goods cost in a market: decisions without IO, in integers.

Everything that costs something is moved by the same rule, which never turns two prices round: so what is less
elsewhere is not more here. A price of its own is all there is to say in its market: no sale reduces it. What
is in a flash sale has one price for all, and gift cards, which are money.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from msgspec import structs

from mercat.addresses import known_country
from mercat.catalog.messages import RATE_UNIT, CardPrice, Market, MarketTerm, Offer, Product, ProductOffer
from mercat.ids import OfferId
from mercat.kit.refusals import Invalid
from mercat.money import MINOR_MAX

_WHOLE = 10_000
Terms = Mapping[OfferId, MarketTerm]


class MarketRule(NamedTuple):
    """A market with the step of the shop's currency."""

    market: Market
    step: int

    def price(self, amount: int) -> int:
        """Move an amount: by the market's percentage, then to its kind of price. What costs something goes on
        costing something, and what would round to nothing is left as it is."""
        return self._moved(amount, _WHOLE + self.market.percent, _WHOLE)

    def suggested(self, amount: int) -> int | None:
        """Suggest a price of its own by the market's rate of exchange, in its kind of price; None without a
        rate. Nothing is charged by it."""
        return None if self.market.rate is None else self._moved(amount, self.market.rate, RATE_UNIT)

    def _moved(self, amount: int, times: int, of: int) -> int:
        moved = (2 * amount * times + of * self.step) // (2 * of * self.step)
        moved = min(max(moved * self.step, min(amount, self.step)), MINOR_MAX)
        to, less = self.market.round_to, self.market.less
        if to and (many := (2 * moved + to) // (2 * to)):
            return min(many * to - less, MINOR_MAX)
        return moved

    def reduced(self, price: int, was_price: int | None) -> tuple[int, int | None]:
        """Move a price and what it was before; that goes where it is not more any longer."""
        moved = self.price(price)
        was = None if was_price is None else self.price(was_price)
        return moved, was if was is not None and was > moved else None


def checked_markets(markets: Sequence[Market], step: int) -> list[Market]:
    """Bring markets into their form; Invalid points to what cannot be, as `/markets/1/countries/0`."""
    codes, taken = set[str](), set[str]()
    kept: list[Market] = []
    for n, market in enumerate(markets):
        at = f"/markets/{n}"
        if market.code in codes:
            raise Invalid("Another market has this code.", pointer=f"{at}/code")
        codes.add(market.code)
        countries: list[str] = []
        for place, given in enumerate(market.countries):
            countries.append(country := known_country(given, f"{at}/countries/{place}"))
            if country in taken:
                raise Invalid("A country is in one market.", pointer=f"{at}/countries/{place}")
            taken.add(country)
        if market.round_to % step or market.less % step:
            raise Invalid("The last decimal of this currency must be 0.", pointer=f"{at}/round_to")
        if 2 * market.less > market.round_to:
            raise Invalid("It is at most half of what prices are rounded to.", pointer=f"{at}/less")
        kept.append(structs.replace(market, countries=sorted(countries)))
    return kept


def offer_in(rule: MarketRule, offer: Offer, term: MarketTerm | None) -> Offer:
    """Return an offer as it is in a market."""
    if term and term.same:
        return offer
    if term and term.own is not None:
        return structs.replace(offer, price=term.own, was_price=None)
    price, was = rule.reduced(offer.price, offer.was_price)
    return structs.replace(offer, price=price, was_price=was)


def product_in(rule: MarketRule, product: Product, terms: Terms) -> Product:
    """Return a product with its offers as they are in a market, in the order that they have everywhere."""
    offers = {each.offer_id: _shown_in(rule, each, terms.get(each.offer_id)) for each in product.offers}
    featured = offers.get(product.offer_id) if product.offer_id else None
    return structs.replace(
        product,
        offers=list(offers.values()),
        variants=[
            structs.replace(each, offers=[offers[offer.offer_id] for offer in each.offers])
            for each in product.variants
        ],
        price=featured.price if featured else None,
        was_price=featured.was_price if featured else None,
        lowest_price_30_days=featured.lowest_price_30_days if featured else None,
    )


def card_in(rule: MarketRule, term: MarketTerm, card: CardPrice) -> CardPrice:
    """Return what a product's card shows in a market."""
    if term.same:
        return card
    if term.own is not None:
        return structs.replace(card, price=term.own, was_price=None, until=None)
    price, was = rule.reduced(card.price, card.was_price)
    return structs.replace(card, price=price, was_price=was)


def _shown_in(rule: MarketRule, offer: ProductOffer, term: MarketTerm | None) -> ProductOffer:
    if term and term.same:
        return offer
    if term and term.own is not None:
        return structs.replace(
            offer,
            price=term.own,
            regular_price=term.own,
            was_price=None,
            compare_at_price=None,
            sale=None,
            lowest_price_30_days=None,
        )
    price, was = rule.reduced(offer.price, offer.was_price)
    compared, sale, lowest = offer.compare_at_price, offer.sale, offer.lowest_price_30_days
    return structs.replace(
        offer,
        price=price,
        was_price=was,
        regular_price=rule.price(offer.regular_price),
        compare_at_price=None if compared is None else rule.price(compared),
        sale=sale and structs.replace(sale, price=rule.price(sale.price)),
        lowest_price_30_days=None if lowest is None or was is None else rule.price(lowest),
    )
