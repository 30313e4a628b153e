"""Arranging: the operators' rules on products that were found."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from mercat.ids import ProductId
from mercat.search.engine import DocAddress, Occur, Query, Searcher
from mercat.search.merchandising.rules import Boost, Pin
from mercat.search.query import parse as words
from mercat.search.ranking.features import Column

Hit = tuple[Any, DocAddress]


def those(products: Sequence[int]) -> Query:
    return Query.term_set_query("product_id", list(products))


def placeable(pins: Sequence[Pin], *, in_stock: bool) -> Query:
    """The pinned products; where what is sold out comes last, only those in stock have a place."""
    pinned = those([pin.product_id for pin in pins])
    return words.every([pinned, words.term("in_stock", True)]) if in_stock else pinned


def but(asked: Query, products: Sequence[int]) -> Query:
    return Query.boolean_query([(Occur.Must, asked), (Occur.MustNot, those(products))])


def pinned(searcher: Searcher, asked: Query, pins: Sequence[Pin], *, in_stock: bool) -> list[tuple[Pin, Hit]]:
    """Those of the pinned products that pass the filters, each once, in the order of their places."""
    hits = searcher.search(
        words.every([asked, placeable(pins, in_stock=in_stock)]), len(pins), count=False
    ).hits
    ids = searcher.fast_field_values("product_id", [address for _, address in hits])
    there = {ProductId(int(product or 0)): hit for product, hit in zip(ids, hits, strict=True)}
    return [(pin, there.pop(pin.product_id)) for pin in pins if pin.product_id in there]


def gains(searcher: Searcher, boosts: Sequence[Boost], hits: Sequence[Hit]) -> Column:
    """Boost, hit: what the boost adds to the product's score."""
    found = np.zeros((len(boosts), len(hits)))
    if not boosts or not hits:
        return found
    ids = [int(each or 0) for each in searcher.fast_field_values("product_id", [each for _, each in hits])]
    place = {product: at for at, product in enumerate(ids)}
    for number, boost in enumerate(boosts):
        fitting = words.every([those(ids), words.term(boost.field, boost.value)])
        answer = searcher.search(fitting, len(ids), count=False).hits
        for product in searcher.fast_field_values("product_id", [address for _, address in answer]):
            found[number, place[int(product or 0)]] = boost.gain
    return found
