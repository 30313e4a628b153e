"""The countries that a form offers: those that somebody sends to."""

from mercat.shop import Shop
from mercat.web import rendering
from mercat.web.optional import unless_away


async def served_places(shop: Shop) -> list[tuple[str, str]]:
    """List code and name of each, the shop's own country first, then by name."""
    codes = await unless_away(shop.fulfilment.countries())
    if not codes:
        return rendering.COUNTRIES
    home = shop.settings.home_country
    named = [(code, rendering.country(code)) for code in codes]
    return sorted(named, key=lambda place: (place[0] != home, place[1]))
