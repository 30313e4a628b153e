"""Whose gift cards are money."""

from collections.abc import Iterable

from mercat.ids import SellerId
from mercat.sellers.service import Sellers


async def issuers(sellers: Sellers, listed_by: Iterable[SellerId]) -> frozenset[SellerId]:
    """Answer which of those who list goods as gift cards sell money: the shop itself alone. What others list
    so are goods, taxed and sent as any. Nobody is asked where nobody lists any."""
    found = frozenset(listed_by)
    return found & {await sellers.own()} if found else found
