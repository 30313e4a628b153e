"""Kinds of goods made ready for sampling: what does not depend on the sample is computed once."""

from collections.abc import Sequence
from itertools import combinations
from math import log

from mercat.lab.demo.pictures import PATTERNS
from mercat.lab.demo.templates import AttributeTemplate, DepartmentTemplate, Kind

SLOTS = 2_048
_PROPER = {"Bluetooth": "Bluetooth", "T-Shirt": "T-shirt", "Earl": "Earl", "Grey": "Grey"}
_SENTENCES = 3


def slots_of(shares: Sequence[float]) -> list[int]:
    """Lay out `SLOTS` indexes, each as often as its share: one random number picks one at once."""
    total, slots, reached = sum(shares), list[int](), 0.0
    for index, share in enumerate(shares):
        reached += share
        slots += [index] * (round(reached / total * SLOTS) - len(slots))
    return slots


def zipf(count: int, flat: float) -> list[int]:
    """Lay out indexes by Zipf's law: the first is the commonest; the flatter, the less so."""
    return slots_of([1 / (rank + flat) for rank in range(count)])


def spellings(words: str) -> tuple[str, str, str]:
    """Write words as in a title, in a sentence and at its start: "stoneware", but "USB-C" and "4K"."""
    low = " ".join(
        _PROPER.get(word, word if word.isupper() or not word[:1].isupper() else word.lower())
        for word in words.split(" ")
    )
    return words, low, low[:1].upper() + low[1:]


class ReadyAttribute:
    """An attribute with its texts, choices, prices and shares computed."""

    def __init__(self, template: AttributeTemplate) -> None:
        title = template.key.capitalize()
        self.keys = (title, template.key, f"{title}_")
        self.label, self.option = template.label, template.label.split(" (")[0]
        self.values = template.values
        wordy = isinstance(template.values[0], str)
        self.texts = [spellings(text) if wordy else (text, text, text) for text in template.texts]
        self.choices = [f"{text} {template.unit}".rstrip() for text in template.texts]
        self.factors = [(1 + template.lift) ** index for index in range(len(template.values))]
        self.slots = slots_of(template.shares) if template.shares else zipf(len(template.values), 2.0)
        self.varies, self.most, self.colours = template.varies, template.most, template.key == "colour"


class ReadyKind:
    """A kind with its sampling tables. `stories` are all descriptions that its sentences can make; `made` and
    `fitted` count, for each brand, its things and what was made to go with them."""

    def __init__(self, department: DepartmentTemplate, kind: Kind, place: int, closes: Sequence[str]) -> None:
        self.path = [department.name, kind.name]
        self.picture, self.title = kind.picture, kind.title
        self.names, self.first, self.second = kind.names, kind.first, kind.second
        self.nouns = [spellings(noun) for noun in kind.nouns]
        turns, rests = kind.looks
        self.looks = [list(range(rest, PATTERNS, turns)) for rest in rests or [0] * len(kind.nouns)]
        self.noun_slots = zipf(len(kind.nouns), 0.6)
        self.attributes = [ReadyAttribute(each) for each in kind.attributes]
        self.coloured = any(each.key == "colour" and each.label for each in kind.attributes)
        self.location, self.spread = log(kind.price[0]), kind.price[1]
        shift = place * 3 % len(department.brands)
        self.brands = department.brands[shift:] + department.brands[:shift]
        self.brand_slots = zipf(len(self.brands), 0.8)
        self.stories = [
            " ".join((start, *sentences, *end))
            for start in kind.opens
            for sentences in combinations(kind.says, min(_SENTENCES, len(kind.says) - 1))
            for end in ([(close,) for close in closes] or [()])
        ]
        self.tags = kind.tags
        self.extra = ReadyKind(department, kind.extra, place + 1, ()) if kind.extra else None
        self.made = [0] * len(self.brands)
        self.fitted = [0] * len(self.brands)
