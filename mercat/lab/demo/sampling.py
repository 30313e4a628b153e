"""Kinds of goods made ready for drawing lots: what does not depend on the lot is done once."""

from collections.abc import Sequence
from itertools import combinations
from math import log

from mercat.lab.demo.pictures import PATTERNS
from mercat.lab.demo.templates import Department, Fact, Kind

SLOTS = 2_048
_PROPER = {"Bluetooth": "Bluetooth", "T-Shirt": "T-shirt", "Earl": "Earl", "Grey": "Grey"}
_SAID = 3


def drawer(shares: Sequence[float]) -> list[int]:
    """`SLOTS` indexes, each as often as its share: one random number picks one at once."""
    total, slots, reached = sum(shares), list[int](), 0.0
    for index, share in enumerate(shares):
        reached += share
        slots += [index] * (round(reached / total * SLOTS) - len(slots))
    return slots


def zipf(count: int, flat: float) -> list[int]:
    """The first is the commonest; the flatter, the less so."""
    return drawer([1 / (rank + flat) for rank in range(count)])


def ways(words: str) -> tuple[str, str, str]:
    """As in a title, in a sentence, and at its start: "stoneware", but "USB-C", "4K" and "Bluetooth"."""
    low = " ".join(
        _PROPER.get(word, word if word.isupper() or not word[:1].isupper() else word.lower())
        for word in words.split(" ")
    )
    return words, low, low[:1].upper() + low[1:]


class ReadyFact:
    def __init__(self, fact: Fact) -> None:
        title = fact.key.capitalize()
        self.keys = (title, fact.key, f"{title}_")
        self.label, self.option = fact.label, fact.label.split(" (")[0]
        self.values = fact.values
        wordy = isinstance(fact.values[0], str)
        self.texts = [ways(text) if wordy else (text, text, text) for text in fact.texts]
        self.choices = [f"{text} {fact.unit}".rstrip() for text in fact.texts]
        self.factors = [(1 + fact.lift) ** index for index in range(len(fact.values))]
        self.drawer = drawer(fact.shares) if fact.shares else zipf(len(fact.values), 2.0)
        self.varies, self.most, self.colours = fact.varies, fact.most, fact.key == "colour"


class ReadyKind:
    """`stories` are all descriptions that its sentences can make; `made` and `fitted` count, for each brand,
    its things and what was made to go with them."""

    def __init__(self, department: Department, kind: Kind, place: int, closes: Sequence[str]) -> None:
        self.path = [department.name, kind.name]
        self.picture, self.title = kind.picture, kind.title
        self.names, self.first, self.second = kind.names, kind.first, kind.second
        self.nouns = [ways(noun) for noun in kind.nouns]
        turns, rests = kind.looks
        self.looks = [list(range(rest, PATTERNS, turns)) for rest in rests or [0] * len(kind.nouns)]
        self.noun_drawer = zipf(len(kind.nouns), 0.6)
        self.facts = [ReadyFact(fact) for fact in kind.facts]
        self.coloured = any(fact.key == "colour" and fact.label for fact in kind.facts)
        self.location, self.spread = log(kind.price[0]), kind.price[1]
        shift = place * 3 % len(department.brands)
        self.brands = department.brands[shift:] + department.brands[:shift]
        self.brand_drawer = zipf(len(self.brands), 0.8)
        self.stories = [
            " ".join((start, *said, *end))
            for start in kind.opens
            for said in combinations(kind.says, min(_SAID, len(kind.says) - 1))
            for end in ([(close,) for close in closes] or [()])
        ]
        self.tags = kind.tags
        self.extra = ReadyKind(department, kind.extra, place + 1, ()) if kind.extra else None
        self.made = [0] * len(self.brands)
        self.fitted = [0] * len(self.brands)
