"""Clauses and counts in OpenSearch's own words."""

import re
from collections.abc import Callable
from typing import Any

from mercat.search.engine import Occur, Query
from mercat.search.facets import attributes as traits

Clause = dict[str, Any]
TRAIT_SPLIT = "\x1f"
FUZZY_MAX = 500
"""So many words, the nearest ones, stand for one that is misspelt."""
_STEMMED = ("title", "said", "everything")
_CALLED = {"price": "price_minor", **{name: f"stems.{name}" for name in _STEMMED}}
_SPECIAL = re.compile(r'([.?+*|{}\[\]()"\\#@&<>~^$-])')
_OF_A_TRAIT = f"{traits.FIELD}."


def field(name: str) -> str:
    """A field of the index here: the public mapping has prices as decimals, and words as they are written."""
    return _CALLED.get(name, name)


def starting(prefix: str) -> str:
    """A pattern of Lucene's."""
    return _SPECIAL.sub(r"\\\1", prefix) + ".*"


def _value(name: str, value: Any) -> tuple[str, Any]:
    """All traits are in one field, so that attributes without end need no fields without end."""
    if name.startswith(_OF_A_TRAIT):
        return traits.FIELD, f"{name.removeprefix(_OF_A_TRAIT)}{TRAIT_SPLIT}{value}"
    if isinstance(value, int) and not isinstance(value, bool):
        value = int(value)  # also of ids, which JSON does not know
    return field(name), str(value) if name == "seller_id" else value


def clause(query: Query) -> Clause:
    return _MADE[query.kind](*query.args)


def _term(name: str, value: Any, boost: float | None = None) -> Clause:
    name, value = _value(name, value)
    return {"term": {name: {"value": value} if boost is None else {"value": value, "boost": boost}}}


def _terms(name: str, values: list[Any]) -> Clause:
    pairs = [_value(name, value) for value in values]
    return {"terms": {pairs[0][0]: [value for _, value in pairs]}} if pairs else _nothing()


def _nothing() -> Clause:
    return {"match_none": {}}


def _fuzzy(name: str, text: str, distance: int, prefix: bool) -> Clause:
    if not distance:
        return {"prefix": {name: {"value": text}}} if prefix else _term(name, text)
    near = {"value": text, "fuzziness": distance, "max_expansions": FUZZY_MAX, "transpositions": True}
    return {"fuzzy": {f"{name}.begun" if prefix else name: near}}


def _phrase(name: str, words: list[str], slop: int) -> Clause:
    said = {"query": " ".join(words), "analyzer": "whitespace", "slop": slop}
    return {"match_phrase": {field(name): said}}


def _bool(parts: list[tuple[Occur, Query]], least: int | None) -> Clause:
    if not parts:
        return _nothing()
    made: Clause = {}
    for occur, part in parts:
        if occur == Occur.Must and part.kind == "const" and part.args[1] == 0:
            made.setdefault("filter", []).append(clause(part.args[0]))
        else:
            name = "must" if occur == Occur.Must else "should" if occur == Occur.Should else "must_not"
            made.setdefault(name, []).append(clause(part))
    if least is not None:
        made["minimum_should_match"] = least
    return {"bool": made}


def _boost(part: Query, by: float) -> Clause:
    if part.kind == "term":
        return _term(*part.args, boost=by)
    return {"bool": {"must": [clause(part)], "boost": by}}


def _best(parts: list[Query], others: float | None) -> Clause:
    return {"dis_max": {"queries": [clause(part) for part in parts], "tie_breaker": others or 0.0}}


def _const(part: Query, score: float) -> Clause:
    return {"constant_score": {"filter": clause(part), "boost": score}}


def _range(name: str, kind: object, low: Any, high: Any) -> Clause:
    bounds = {"gte": low, "lte": high}
    return {"range": {field(name): {end: bound for end, bound in bounds.items() if bound is not None}}}


_MADE: dict[str, Callable[..., Clause]] = {
    "term": _term,
    "terms": _terms,
    "all": lambda: {"match_all": {}},
    "none": _nothing,
    "fuzzy": _fuzzy,
    "phrase": _phrase,
    "bool": _bool,
    "best": _best,
    "boost": _boost,
    "const": _const,
    "range": _range,
}


def aggregations(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: _aggregation(how) for name, how in asked.items()}


def _aggregation(how: dict[str, Any]) -> dict[str, Any]:
    ((kind, about),) = how.items()
    if kind == "range":
        return {"range": {**about, "field": field(about["field"])}}
    name, size = about["field"], about["size"]
    counted = {"field": field(name), "size": size, "shard_size": max(about.get("segment_size", size), size)}
    if name.startswith(_OF_A_TRAIT):
        its = starting(name.removeprefix(_OF_A_TRAIT) + TRAIT_SPLIT)
        counted |= {"field": traits.FIELD, "include": its}
    return {"terms": counted}


def answered(asked: dict[str, Any], answer: dict[str, Any]) -> dict[str, Any]:
    """The answer as the asker knows it: a trait's values without its name before them."""
    for name, how in asked.items():
        if how.get("terms", {}).get("field", "").startswith(_OF_A_TRAIT):
            for bucket in answer[name]["buckets"]:
                bucket["key"] = bucket["key"].split(TRAIT_SPLIT, 1)[1]
    return answer
