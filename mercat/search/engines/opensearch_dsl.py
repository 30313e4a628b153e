"""Clauses and term counts in OpenSearch's query DSL, and the names that fields have there."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from mercat.search.engine import Clause, ExtremesWanted, Occur, TermsWanted
from mercat.search.facets import attributes
from mercat.search.query import mentions

Dsl = dict[str, Any]
ATTRIBUTE_SEPARATOR = "\x1f"
"""Between name and value of an attribute: all attributes are in one field, so that attributes without end
need no fields without end."""
_FUZZY_EXPANSIONS_MAX = 500
_STEMMED = ("title", "main_text", "all_text", mentions.NAMED)
_FIELD_NAMES = {"price": "price_minor", **{name: f"stems.{name}" for name in _STEMMED}}
_SPECIAL = re.compile(r'([.?+*|{}\[\]()"\\#@&<>~^$-])')
_ATTRIBUTE_COLUMN = f"{attributes.FIELD}."


def field_name(name: str) -> str:
    """Return what a field is called there: the published mapping has prices as decimals, and words as
    written."""
    return _FIELD_NAMES.get(name, name)


def starts_with(prefix: str) -> str:
    """Return a pattern of Lucene's for terms that begin so."""
    return _SPECIAL.sub(r"\\\1", prefix) + ".*"


def query_dsl(clause: Clause) -> Dsl:
    """Convert a clause."""
    return _CONVERTERS[clause.kind](*clause.args)


def _field_and_value(name: str, value: Any) -> tuple[str, Any]:
    if name.startswith(_ATTRIBUTE_COLUMN):
        return attributes.FIELD, f"{name.removeprefix(_ATTRIBUTE_COLUMN)}{ATTRIBUTE_SEPARATOR}{value}"
    if isinstance(value, int) and not isinstance(value, bool):
        value = int(value)  # also of ids, which JSON does not know
    return field_name(name), str(value) if name == "seller_id" else value


def _term(name: str, value: Any, boost: float | None = None) -> Dsl:
    name, value = _field_and_value(name, value)
    return {"term": {name: {"value": value} if boost is None else {"value": value, "boost": boost}}}


def _terms(name: str, values: Sequence[Any]) -> Dsl:
    pairs = [_field_and_value(name, value) for value in values]
    return {"terms": {pairs[0][0]: [value for _, value in pairs]}} if pairs else _match_none()


def _match_none() -> Dsl:
    return {"match_none": {}}


def _fuzzy(name: str, text: str, distance: int, prefix: bool) -> Dsl:
    if not distance:
        return {"prefix": {name: {"value": text}}} if prefix else _term(name, text)
    near = {
        "value": text,
        "fuzziness": distance,
        "max_expansions": _FUZZY_EXPANSIONS_MAX,
        "transpositions": True,
    }
    return {"fuzzy": {f"{name}.prefixes" if prefix else name: near}}


def _phrase(name: str, words: Sequence[str]) -> Dsl:
    phrase = {"query": " ".join(words), "analyzer": "words", "slop": 0}
    return {"match_phrase": {field_name(name): phrase}}


def _boolean(parts: Sequence[tuple[Occur, Clause]], minimum: int | None) -> Dsl:
    if not parts:
        return _match_none()
    made: Dsl = {}
    for occur, part in parts:
        if occur == "must" and part.kind == "constant_score" and part.args[1] == 0:
            made.setdefault("filter", []).append(query_dsl(part.args[0]))
        else:
            made.setdefault(occur, []).append(query_dsl(part))
    if minimum is not None:
        made["minimum_should_match"] = minimum
    return {"bool": made}


def _boost(part: Clause, factor: float) -> Dsl:
    if part.kind == "term":
        return _term(*part.args, boost=factor)
    return {"bool": {"must": [query_dsl(part)], "boost": factor}}


def _dis_max(parts: Sequence[Clause], tie_breaker: float) -> Dsl:
    return {"dis_max": {"queries": [query_dsl(part) for part in parts], "tie_breaker": tie_breaker}}


def _constant_score(part: Clause, score: float) -> Dsl:
    return {"constant_score": {"filter": query_dsl(part), "boost": score}}


def _between(name: str, low: float | None, high: float | None) -> Dsl:
    bounds = {"gte": low, "lte": high}
    return {"range": {field_name(name): {end: bound for end, bound in bounds.items() if bound is not None}}}


_CONVERTERS: dict[str, Callable[..., Dsl]] = {
    "term": _term,
    "terms": _terms,
    "match_all": lambda: {"match_all": {}},
    "match_none": _match_none,
    "fuzzy": _fuzzy,
    "phrase": _phrase,
    "boolean": _boolean,
    "dis_max": _dis_max,
    "boost": _boost,
    "constant_score": _constant_score,
    "between": _between,
}


def aggregation(wanted: TermsWanted | ExtremesWanted) -> Dsl:
    """Ask for the terms of a field, for the values of one attribute, or for the extremes of a number."""
    if isinstance(wanted, ExtremesWanted):
        return {"stats": {"field": field_name(wanted.field)}}
    about: Dsl = {
        "field": field_name(wanted.field),
        "size": wanted.size,
        "shard_size": max(wanted.per_segment, wanted.size),
    }
    if wanted.field.startswith(_ATTRIBUTE_COLUMN):
        prefix = wanted.field.removeprefix(_ATTRIBUTE_COLUMN) + ATTRIBUTE_SEPARATOR
        about |= {"field": attributes.FIELD, "include": starts_with(prefix)}
    return {"terms": about}


def counts(wanted: TermsWanted | ExtremesWanted, answer: Dsl) -> dict[str, int]:
    """Read the answer to `aggregation`: an attribute's values without its name before them."""
    if isinstance(wanted, ExtremesWanted):
        return {end: int(answer[end]) for end in ("min", "max") if answer["count"]}
    counts = {bucket["key"]: int(bucket["doc_count"]) for bucket in answer["buckets"]}
    if wanted.field.startswith(_ATTRIBUTE_COLUMN):
        return {key.split(ATTRIBUTE_SEPARATOR, 1)[1]: count for key, count in counts.items()}
    return counts
