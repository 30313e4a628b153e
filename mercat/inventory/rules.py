"""Who gets what: a decision without IO, checked against a one-by-one oracle."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

ShelfKey = tuple[int, int]
"""An offer and the location where it stands."""


class ReservationAsk(NamedTuple):
    """One checkout's lines: all of them, or none."""

    checkout_id: int
    lines: tuple[tuple[int, int], ...]
    """(offer, quantity); an offer stands in one line."""


class Share(NamedTuple):
    """Where an ask's units are taken, or the first line that cannot be had and what is left of it."""

    taken: tuple[tuple[ShelfKey, int], ...] = ()
    short_offer: int = 0
    short_left: int = 0

    @property
    def refused(self) -> bool:
        """Whether nothing is taken."""
        return not self.taken


def share_out(asks: Sequence[ReservationAsk], available: Mapping[ShelfKey, int]) -> list[Share]:
    """Decide in the order asked: all lines of an ask or none, each line from the fullest location first."""
    left = dict(available)
    places: dict[int, list[ShelfKey]] = {}
    for place in available:
        places.setdefault(place[0], []).append(place)
    return [_take(ask, left, places) for ask in asks]


def _take(ask: ReservationAsk, left: dict[ShelfKey, int], places: Mapping[int, list[ShelfKey]]) -> Share:
    taken: list[tuple[ShelfKey, int]] = []
    for offer, quantity in ask.lines:
        wanted = quantity
        here = places.get(offer, [])
        for place in here if len(here) == 1 else sorted(here, key=lambda place: (-left[place], place)):
            units = min(wanted, max(left[place], 0))
            if units:
                taken.append((place, units))
                left[place] -= units
                wanted -= units
            if not wanted:
                break
        if wanted:
            for place, units in taken:
                left[place] += units
            return Share((), offer, max(0, sum(max(left[place], 0) for place in here)))
    return Share(tuple(taken))
