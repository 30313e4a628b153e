"""Merchandising rules as the ranking applies them. No IO.

A boost multiplies a product's weight, exp(score), so its score gains ln(factor): 2 is +0.7, 10 is +2.3, where
the first ten products of a query are a few points apart. It never lifts what has some of the words above what
has all of them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

from mercat.ids import ProductId, RuleId
from mercat.kit.refusals import Invalid
from mercat.search.messages import Rule, RuleKind, StoredRule
from mercat.search.query import analyze
from mercat.search.query.parse import QueryWord, parse
from mercat.search.query.synonyms import Stems

_BOOSTS_PER_QUERY_MAX = 20
WordsKey = tuple[str, ...]
"""A query's stems, sorted: the same whatever the order and plural of its words."""
Gains = Mapping[WordsKey, Mapping[int, float]]
"""By words and product, what is added to its score."""
Item = TypeVar("Item")
_TARGETS = ("product_id", "brand", "category")
_NEEDED: dict[RuleKind, set[str]] = {
    "pin": {"words", "product_id", "place"},
    "boost": {"factor"},
    "synonym": {"words", "other"},
}
_POSSIBLE: dict[RuleKind, set[str]] = {"pin": set(), "boost": {"words", *_TARGETS}, "synonym": {"same"}}


@dataclass(frozen=True)
class Pin:
    """A product with a place of its own, from 1."""

    rule_id: RuleId
    product_id: ProductId
    place: int


@dataclass(frozen=True)
class Boost:
    """A field's value that counts so many times as much."""

    rule_id: RuleId
    field: str
    value: int | str
    factor: float

    @property
    def gain(self) -> float:
        """What it adds to a score."""
        return math.log(self.factor)


@dataclass
class ActiveRules:
    """The rules of one day, ready to be applied."""

    pins: dict[WordsKey, list[Pin]] = field(default_factory=dict[WordsKey, list[Pin]])
    boosts: dict[WordsKey, list[Boost]] = field(default_factory=dict[WordsKey, list[Boost]])
    boosts_everywhere: list[Boost] = field(default_factory=list[Boost])
    synonyms: list[tuple[Stems, Stems]] = field(default_factory=list[tuple[Stems, Stems]])
    """Phrases, and what else they mean."""
    gains: Gains = field(default_factory=dict[WordsKey, Mapping[int, float]])
    """What scores of products gain by what shoppers chose; no operator's, but told to all processes alike."""

    def pins_of(self, words: Iterable[QueryWord]) -> list[Pin]:
        """Return the pins of a query, by place."""
        return self.pins.get(words_key(words), []) if self.pins else []

    def boosts_of(self, words: Iterable[QueryWord]) -> list[Boost]:
        """Return the strongest boosts of a query, those for all queries included."""
        found = [*self.boosts.get(words_key(words), []), *self.boosts_everywhere]
        return sorted(found, key=lambda boost: -abs(boost.gain))[:_BOOSTS_PER_QUERY_MAX]

    def gains_of(self, words: Iterable[QueryWord]) -> Mapping[int, float]:
        """Return what shoppers chose for these words, as what it adds to scores of products."""
        return self.gains.get(words_key(words), {}) if self.gains else {}


def words_key(words: Iterable[QueryWord]) -> WordsKey:
    """Return the key by which rules for these words are found."""
    return tuple(sorted(word.stem for word in words))


def active_rules(rules: Iterable[StoredRule], today: date) -> ActiveRules:
    """Choose and prepare the rules of a day."""
    active = ActiveRules()
    for rule in rules:
        if (rule.starts_on and today < rule.starts_on) or (rule.ends_on and today > rule.ends_on):
            continue
        key = words_key(parse(rule.words))
        match rule.kind:
            case "pin" if rule.product_id is not None and rule.place:
                active.pins.setdefault(key, []).append(Pin(rule.rule_id, rule.product_id, rule.place))
            case "boost":
                boosts = active.boosts.setdefault(key, []) if rule.words else active.boosts_everywhere
                boosts.append(_boost(rule))
            case _:
                active.synonyms += _synonyms(rule)
    for pins in active.pins.values():
        pins.sort(key=lambda pin: (pin.place, pin.rule_id))
    return active


def _boost(rule: StoredRule) -> Boost:
    factor = rule.factor or 1.0
    if rule.product_id is not None:
        return Boost(rule.rule_id, "product_id", int(rule.product_id), factor)
    if rule.brand is not None:
        return Boost(rule.rule_id, "brand", rule.brand, factor)
    return Boost(rule.rule_id, "category", rule.category or "", factor)


def _synonyms(rule: StoredRule) -> list[tuple[Stems, Stems]]:
    phrase, other = tuple(analyze.stems(rule.words)), tuple(analyze.stems(rule.other or ""))
    if not phrase or not other:
        return []
    return [(phrase, other), *([(other, phrase)] if rule.same else [])]


def check_rule(rule: Rule) -> None:
    """Refuse with `Invalid` a rule that lacks something, has too much, or could have no effect."""
    needed, possible = _NEEDED[rule.kind], _POSSIBLE[rule.kind]
    given = {
        name for name in ("words", *_TARGETS, "place", "factor", "other", "same") if _is_given(rule, name)
    }
    for name in sorted(needed - given):
        raise Invalid(f"A {rule.kind} needs this.", pointer=f"/{name}")
    for name in sorted(given - needed - possible):
        raise Invalid(f"A {rule.kind} has no such thing.", pointer=f"/{name}")
    if rule.kind == "boost" and len(given.intersection(_TARGETS)) != 1:
        raise Invalid("A boost is of one product, one brand or one category.", pointer="/product_id")
    for name, words in (("words", rule.words), ("other", rule.other)):
        if words and not analyze.stems(words):
            raise Invalid("These have no letters or digits to search by.", pointer=f"/{name}")
    if rule.kind == "synonym" and analyze.stems(rule.words) == analyze.stems(rule.other or ""):
        raise Invalid("To search, both are the same words already.", pointer="/other")
    if rule.starts_on and rule.ends_on and rule.ends_on < rule.starts_on:
        raise Invalid("It ends before it begins.", pointer="/ends_on")


def _is_given(rule: Rule, name: str) -> bool:
    value = getattr(rule, name)
    return bool(value.strip()) if isinstance(value, str) else value is not None


def page_with_pins(
    pins: Sequence[tuple[int, Item]],
    total: int,
    first: int,
    count: int,
    others: Callable[[int, int], list[Item]],
) -> list[Item]:
    """Return a page of a list in which some items have places of their own: `count` of `total`, from `first`
    on.

    `others(count, first)` is the list without them. Places count from 1; one that is taken, or beyond the
    end, becomes the next free one."""
    rest = total - len(pins)
    at: dict[int, Item] = {}
    after = -1
    for number, (place, item) in enumerate(pins):
        after = min(max(place - 1, after + 1), rest + number)
        at[after] = item
    page = range(first, min(first + count, total))
    here = [place for place in page if place in at]
    before = sum(place < first for place in at)
    between = iter(others(len(page) - len(here), first - before) if len(page) > len(here) else [])
    found = [at[place] if place in at else next(between, None) for place in page]
    return [item for item in found if item is not None]
