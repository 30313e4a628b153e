"""Of so many units that are bought, so many more cost less: buy 2, get 1 at 100 percent off."""

from msgspec import Struct

from mercat.promotions.kinds import Reducible, Taken, percent_of
from mercat.promotions.messages import Percent, Units

NAME = "buy"


class BuyAndGet(Struct, frozen=True):
    """Of each `quantity + get` units the `get` cheapest cost `percent` less."""

    quantity: Units
    get: Units
    percent: Percent = 100.0


Value = BuyAndGet


def take(value: BuyAndGet, reducible: Reducible) -> Taken:
    """Take the percentage off the cheapest of each group, the dearest units grouped first; a group that is
    not full gets nothing."""
    goods = reducible.goods
    places = sorted(range(len(goods)), key=lambda n: (-goods[n].unit_price, goods[n].offer_id))
    group, whole = value.quantity + value.get, sum(line.quantity for line in goods)
    full = whole // group * group
    lines, at = [0] * len(goods), 0
    for n in places:
        line = goods[n]
        cheaper = _cheaper(at, min(at + line.quantity, full), value.quantity, group)
        at += line.quantity
        off = percent_of(value.percent, line.unit_price * cheaper, reducible.step)
        lines[n] = min(off, reducible.left[n])
    return Taken(lines)


def _cheaper(start: int, end: int, dear: int, group: int) -> int:
    """Count the places from `start` to `end` that come after the first `dear` of their group."""

    def until(place: int) -> int:
        return place // group * (group - dear) + max(0, place % group - dear)

    return max(0, until(end) - until(start))
