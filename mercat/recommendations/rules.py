"""What orders and visits teach: decisions without IO."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import NamedTuple

from mercat.events import Look, OrderPlaced

BASKET_MAX = 50
"""Of an order with more different products the first fifty teach: pairs grow with the square."""

OF_ITS_OWN_CATEGORY_MAX, OF_A_CATEGORY_MAX = 1, 2
"""What is bought together is not five more of the same thing: so many of a shelf may be of one category."""
HALF_LIFE = timedelta(days=120)
"""After so long an order teaches half as much. Chosen on months before the one that is measured."""
VISIT_MAX = 10
"""What a visitor looked at before that is forgotten."""
WORDS_MAX = 16
SIZE_POWER = 0.75
"""How much less a larger order says of any two of its products. Chosen as the half-life was."""
_BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
_NO_CATEGORY = ("", "uncategorised")
_WORD = re.compile(r"[^\W_]{3,}")
_SAY_NOTHING = frozenset(["and", "for", "from", "its", "set", "the", "with", "your"])
Basket = list[int]
Pair = tuple[int, int]


class Lesson(NamedTuple):
    """An order as it teaches. `recency` doubles with each half-life, so that newer orders outweigh older ones
    without touching these; what is compared are ratios."""

    basket: Basket
    recency: float
    country: str


class TimesSold(NamedTuple):
    orders: int
    weight: float
    lately: float


class TimesMet(NamedTuple):
    orders: int
    weight: float


def lesson(order: OrderPlaced) -> Lesson:
    """Read what an order teaches: its different products, in its own order, when and where to."""
    products = list(dict.fromkeys(int(line.product_id) for line in order.lines))[:BASKET_MAX]
    recency = 2 ** ((order.placed_at - _BEGINNING) / HALF_LIFE)
    return Lesson(products, recency, order.address.get("country", ""))


def sold(lessons: Iterable[Lesson]) -> dict[int, TimesSold]:
    """Add up for each product the orders it was in."""
    found: dict[int, TimesSold] = defaultdict(lambda: TimesSold(0, 0.0, 0.0))
    for each in lessons:
        more = _weight(each)
        for product in each.basket:
            orders, weight, lately = found[product]
            found[product] = TimesSold(orders + 1, weight + more, lately + each.recency)
    return found


def met(lessons: Iterable[Lesson]) -> dict[Pair, TimesMet]:
    """Add up for each two products the orders they were in together, the smaller id first."""
    found: dict[Pair, TimesMet] = defaultdict(lambda: TimesMet(0, 0.0))
    for each in lessons:
        more = _weight(each)
        for pair in combinations(sorted(each.basket), 2):
            orders, weight = found[pair]
            found[pair] = TimesMet(orders + 1, weight + more)
    return found


def sold_in(lessons: Iterable[Lesson]) -> dict[tuple[str, int], float]:
    """Add up what sold lately by country, where that is known."""
    found: dict[tuple[str, int], float] = defaultdict(float)
    for each in lessons:
        if each.country:
            for product in each.basket:
                found[each.country, product] += each.recency
    return found


def visits(looks: Iterable[Look], most: int) -> dict[int, Basket]:
    """List which products visitors looked at, in their order; `most` views teach, further ones do not."""
    found: dict[int, Basket] = defaultdict(list)
    for look in [each for each in looks if each.what == "view" and each.product_id][:most]:
        if look.product_id and int(look.product_id) not in found[look.visitor]:
            found[look.visitor].append(int(look.product_id))
    return found


def continued(
    before: Mapping[int, Basket], now: Mapping[int, Basket]
) -> tuple[dict[int, Basket], Counter[Pair]]:
    """Add views to those that visitors had before: how their visits look now, and which two products one more
    visitor has seen. A view of what the visit has already teaches nothing."""
    after: dict[int, Basket] = {}
    seen: Counter[Pair] = Counter()
    for visitor, views in now.items():
        visit = list(before.get(visitor, []))
        for product in views:
            if product not in visit:
                seen.update((min(product, other), max(product, other)) for other in visit)
                visit = [*visit, product][-VISIT_MAX:]
        if visit != before.get(visitor):
            after[visitor] = visit
    return after, seen


def words(title: str) -> list[str]:
    """List the different words of a title that may say what a product is."""
    found = dict.fromkeys(_WORD.findall(title.lower()))
    return [word for word in found if word not in _SAY_NOTHING][:WORDS_MAX]


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


def _weight(lesson: Lesson) -> float:
    """Say what an order teaches about each two of its products: the more there are, the less it says of any
    two of them."""
    return lesson.recency / max(len(lesson.basket) - 1, 1) ** SIZE_POWER
