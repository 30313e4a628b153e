"""What the letters of saved reports have in common."""

from typing import NamedTuple

from mercat import money
from mercat.events import ReportWeekOver
from mercat.notifications.lookup import Note

_COUNTS = ("orders", "units")


class Sum(NamedTuple):
    """A sum of a week in words, beside that of the week before."""

    what: str
    now: str
    before: str


def sums(fact: ReportWeekOver) -> list[Sum]:
    def words(name: str, amount: int) -> str:
        return f"{amount:,}" if name in _COUNTS else money.words(amount, fact.currency)

    return [
        Sum(name.capitalize(), words(name, amount), words(name, fact.before.get(name, 0)))
        for name, amount in fact.totals.items()
    ]


def note(fact: ReportWeekOver) -> list[Note[ReportWeekOver]]:
    """Note down one letter a saved report and week."""
    return [Note(int(fact.view_id), fact, fact.week)]
