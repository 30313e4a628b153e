"""What an order teaches: decisions without IO."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from mercat.events import OrderPlaced

BASKET_MAX = 50
"""Of an order with more different products the first fifty teach: pairs grow with the square."""

Basket = list[int]


def basket(order: OrderPlaced) -> Basket:
    """List the different products of an order, in the order's own order."""
    return list(dict.fromkeys(int(line.product_id) for line in order.lines))[:BASKET_MAX]


def orders_by_product(baskets: Iterable[Basket]) -> Counter[int]:
    """Count the orders that each product was in."""
    return Counter(product for one in baskets for product in one)


def orders_by_pair(baskets: Iterable[Basket]) -> Counter[tuple[int, int]]:
    """Count the orders that two products were in together, the smaller id first."""
    return Counter(pair for one in baskets for pair in combinations(sorted(one), 2))
