"""What an order teaches: decisions without IO."""

from collections import Counter
from collections.abc import Iterable
from itertools import combinations

from mercat.events import OrderPlaced

BASKET_MAX = 50
"""Of an order with more different products the first fifty teach: pairs grow with the square."""

OF_ITS_OWN_CATEGORY_MAX, OF_A_CATEGORY_MAX = 1, 2
"""What is bought together is not five more of the same thing: so many of a shelf may be of one category."""
_NO_CATEGORY = ("", "uncategorised")
Basket = list[int]


def basket(order: OrderPlaced) -> Basket:
    """List the different products of an order, in the order's own order."""
    return list(dict.fromkeys(int(line.product_id) for line in order.lines))[:BASKET_MAX]


def varied(candidates: Iterable[tuple[int, str]], limit: int, own: str, chosen: Counter[str]) -> list[int]:
    """Choose the first candidates, given with their categories, that leave a shelf varied.

    `own`: the category of the product that the shelf is for; `chosen` counts what the shelf has of each
    category, and is added to."""
    shelf: list[int] = []
    for product, category in candidates:
        most = OF_ITS_OWN_CATEGORY_MAX if category == own else OF_A_CATEGORY_MAX
        if len(shelf) == limit:
            break
        if category in _NO_CATEGORY or chosen[category] < most:
            chosen[category] += 1
            shelf.append(product)
    return shelf


def orders_by_product(baskets: Iterable[Basket]) -> Counter[int]:
    """Count the orders that each product was in."""
    return Counter(product for one in baskets for product in one)


def orders_by_pair(baskets: Iterable[Basket]) -> Counter[tuple[int, int]]:
    """Count the orders that two products were in together, the smaller id first."""
    return Counter(pair for one in baskets for pair in combinations(sorted(one), 2))
