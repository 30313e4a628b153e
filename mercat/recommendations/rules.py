"""What an order teaches. No IO here."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from mercat.events import OrderPlaced

BASKET_MAX = 50
"""Of an order with more different products the first fifty teach: pairs grow with the square."""

Basket = list[int]


def basket(order: OrderPlaced) -> Basket:
    """The different products of an order, as they were listed."""
    return list(dict.fromkeys(int(line.product_id) for line in order.lines))[:BASKET_MAX]


def sold(baskets: Iterable[Basket]) -> Counter[int]:
    """In how many orders each product was."""
    return Counter(product for one in baskets for product in one)


def met(baskets: Iterable[Basket]) -> Counter[tuple[int, int]]:
    """In how many orders two products met, the smaller id first."""
    return Counter(pair for one in baskets for pair in combinations(sorted(one), 2))
