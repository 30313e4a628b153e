"""The kinds of conditions and benefits: what a promotion may ask for, and what it may do then.

A kind is a module of `conditions` or `benefits`, found by itself. Each has `NAME`, the `Value` that its
member takes, and `MONEY` where that is an amount. A condition has `WHY`, and either `fits(value, goods)`, of
one line, or `holds(value, matching, shopper)`, of all the lines that are meant. A benefit has
`take(value, reducible)`, `DELIVERY` where it is about the delivery, and `GIVES` where `value.offer_id` comes
along for nothing. `problem(value)`, where a kind has it, says why somebody cannot set it up so.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

import msgspec

from mercat import money
from mercat.kit import codec
from mercat.kit.refusals import Invalid, malformed
from mercat.promotions.messages import PricedGoods


class ShopperFacts(NamedTuple):
    """Whom a promotion is asked for. `country`: None until it is known where things go."""

    groups: frozenset[str] = frozenset()
    is_new: bool = True
    country: str | None = None


class Reducible(NamedTuple):
    """The lines that are meant, what is left of the price of each, and of the delivery of each part of their
    sellers; amounts are multiples of `step`."""

    goods: Sequence[PricedGoods]
    left: Sequence[int]
    parts: Sequence[int]
    step: int = 1


class Taken(NamedTuple):
    """What a benefit takes off each line and each delivery."""

    lines: Sequence[int] = ()
    parts: Sequence[int] = ()


def shared(amount: int, reducible: Reducible) -> Taken:
    """Take an amount off all lines together, at most what is left of them, by largest remainder.

    Where remainders tie, the older offer is first, wherever its line stands."""
    left, step = reducible.left, reducible.step
    amount = min(amount, sum(left)) // step
    offer_ids = [line.offer_id for line in reducible.goods]
    places = sorted(range(len(left)), key=offer_ids.__getitem__)
    lines = [0] * len(places)
    for n, part in zip(places, money.allocate(amount, [left[n] for n in places]), strict=True):
        lines[n] = part * step
    return Taken(lines)


def percent_of(percent: float, amount: int, step: int = 1) -> int:
    """Answer so many percent of an amount, rounded half up to a multiple of `step`."""
    millionths = round(percent * 10_000)
    return (amount * millionths * 2 + 1_000_000 * step) // (2_000_000 * step) * step


def read_terms(kinds: Mapping[str, Any], terms: Mapping[str, Any], at: str) -> dict[str, Any]:
    """Read the members of `when` or `then`, each by its kind; Invalid, with its place, otherwise."""
    read: dict[str, Any] = {}
    for name, given in terms.items():
        kind = kinds.get(name)
        if kind is None:
            near = get_close_matches(name, kinds, 1)
            hint = f" Do you mean {near[0]}?" if near else ""
            raise Invalid(f"There is no {name} here.{hint}", pointer=f"{at}/{name}")
        try:
            read[name] = codec.convert(given, kind.Value)
        except msgspec.ValidationError as error:
            wrong = malformed(error)
            raise Invalid(str(wrong), pointer=f"{at}/{name}{wrong.facts['pointer']}") from None
    return read


def check_terms(kinds: Mapping[str, Any], terms: Mapping[str, Any], at: str) -> None:
    """Check terms as they are set up: Invalid for what cannot be read, and for what a kind does not take."""
    for name, value in read_terms(kinds, terms, at).items():
        find_problem = getattr(kinds[name], "problem", None)
        if find_problem and (problem := find_problem(value)):
            raise Invalid(problem, pointer=f"{at}/{name}")
