"""Rules: what operators want of searches, as the ranking applies it. No IO.

A boost multiplies a product's weight, exp(score), so its score gains ln(factor): 2 is +0.7, 10 is +2.3, where
the first ten products of a question are a few points apart. It never lifts what has some of the words above
what has all of them."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from mercat.ids import ProductId, RuleId
from mercat.kit.refusals import Invalid
from mercat.search.messages import KeptRule, Rule
from mercat.search.query import analyze as text
from mercat.search.query.parse import read

BOOSTS_MAX = 20
"""Boosts that one question takes into account, the strongest first."""
Key = tuple[str, ...]
Stems = tuple[str, ...]
Hit = TypeVar("Hit")


@dataclass(frozen=True)
class Pin:
    rule_id: RuleId
    product_id: ProductId
    place: int


@dataclass(frozen=True)
class Boost:
    rule_id: RuleId
    field: str
    value: int | str
    factor: float

    @property
    def gain(self) -> float:
        return math.log(self.factor)


@dataclass
class Ruling:
    """The rules of one day, ready to be applied."""

    pins: dict[Key, list[Pin]] = field(default_factory=dict[Key, list[Pin]])
    boosts: dict[Key, list[Boost]] = field(default_factory=dict[Key, list[Boost]])
    everywhere: list[Boost] = field(default_factory=list[Boost])
    ways: list[tuple[Stems, Stems]] = field(default_factory=list[tuple[Stems, Stems]])
    """Phrases, and what else they mean."""

    def boosts_of(self, key: Key) -> list[Boost]:
        found = [*self.boosts.get(key, []), *self.everywhere]
        return sorted(found, key=lambda boost: -abs(boost.gain))[:BOOSTS_MAX]


def key(stems: Iterable[str]) -> Key:
    """The same for questions of the same words, whatever their order and plural."""
    return tuple(sorted(stems))


def key_of(q: str) -> Key:
    return key(word.stem for word in read(q))


def ruling(rules: Iterable[KeptRule], today: date) -> Ruling:
    """What holds today."""
    made = Ruling()
    for rule in rules:
        if (rule.starts_on and today < rule.starts_on) or (rule.ends_on and today > rule.ends_on):
            continue
        match rule.kind:
            case "pin" if rule.product_id is not None and rule.place:
                pin = Pin(rule.rule_id, rule.product_id, rule.place)
                made.pins.setdefault(key_of(rule.words), []).append(pin)
            case "boost":
                boost = _boost(rule)
                listed = made.boosts.setdefault(key_of(rule.words), []) if rule.words else made.everywhere
                listed.append(boost)
            case _:
                said, other = tuple(text.stems(rule.words)), tuple(text.stems(rule.other or ""))
                if said and other:
                    made.ways += [(said, other), *([(other, said)] if rule.same else [])]
    for pins in made.pins.values():
        pins.sort(key=lambda pin: (pin.place, pin.rule_id))
    return made


def _boost(rule: KeptRule) -> Boost:
    factor = rule.factor or 1.0
    if rule.product_id is not None:
        return Boost(rule.rule_id, "product_id", int(rule.product_id), factor)
    if rule.brand is not None:
        return Boost(rule.rule_id, "brand", rule.brand, factor)
    return Boost(rule.rule_id, "category", rule.category or "", factor)


def checked(rule: Rule) -> Rule:
    """The rule, if it makes sense; refuses with what is missing or too much."""
    about = ("product_id", "brand", "category")
    parts = {
        "pin": ({"words", "product_id", "place"}, set[str]()),
        "boost": ({"factor"}, {"words", *about}),
        "synonym": ({"words", "other", "same"}, set[str]()),
    }
    needed, possible = parts[rule.kind]
    if rule.kind == "synonym" and rule.same is None:
        needed -= {"same"}
    given = {name for name in ("words", *about, "place", "factor", "other", "same") if _given(rule, name)}
    for name in sorted(needed - given):
        raise Invalid(f"A {rule.kind} needs this.", pointer=f"/{name}")
    for name in sorted(given - needed - possible):
        raise Invalid(f"A {rule.kind} has no such thing.", pointer=f"/{name}")
    if rule.kind == "boost" and len(given & set(about)) != 1:
        raise Invalid("A boost is of one product, one brand or one category.", pointer="/product_id")
    for name, said in (("words", rule.words), ("other", rule.other)):
        if said and not text.stems(said):
            raise Invalid("These have no letters or digits to search by.", pointer=f"/{name}")
    if rule.kind == "synonym" and text.stems(rule.words) == text.stems(rule.other or ""):
        raise Invalid("To search, both are the same words already.", pointer="/other")
    if rule.starts_on and rule.ends_on and rule.ends_on < rule.starts_on:
        raise Invalid("It ends before it begins.", pointer="/ends_on")
    return rule


def _given(rule: Rule, name: str) -> bool:
    value = getattr(rule, name)
    return bool(value.strip()) if isinstance(value, str) else value is not None


def placed(
    pins: Sequence[tuple[int, Hit]],
    total: int,
    first: int,
    count: int,
    others: Callable[[int, int], list[Hit]],
) -> list[Hit]:
    """A page of a list in which some products have places of their own: `count` of `total`, from `first` on.
    `others(count, first)` are the list without them. Places from 1; one that is taken, or beyond the end, is
    the next one free."""
    rest = total - len(pins)
    at: dict[int, Hit] = {}
    after = -1
    for number, (place, hit) in enumerate(pins):
        after = min(max(place - 1, after + 1), rest + number)
        at[after] = hit
    page = range(first, min(first + count, total))
    here = [place for place in page if place in at]
    before = sum(place < first for place in at)
    between = iter(others(len(page) - len(here), first - before) if len(page) > len(here) else [])
    found = [at[place] if place in at else next(between, None) for place in page]
    return [hit for hit in found if hit is not None]
