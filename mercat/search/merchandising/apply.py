"""Pins and boosts applied to the products found."""

from collections.abc import Mapping, Sequence

import numpy as np

from mercat.ids import ProductId
from mercat.search.engine import Clause, Hit, IndexSearcher, product_ids
from mercat.search.merchandising.rules import Boost, Pin
from mercat.search.ranking.features import Column


def with_products(products: Sequence[int]) -> Clause:
    """Match these products."""
    return Clause.terms("product_id", list(products))


def without_products(clause: Clause, products: Sequence[int]) -> Clause:
    """Match everything but these products."""
    return Clause.boolean([("must", clause), ("must_not", with_products(products))])


def pinnable(pins: Sequence[Pin], *, in_stock: bool) -> Clause:
    """Match the pinned products; with `in_stock` only those that are (where what is sold out comes last, it
    has no place)."""
    pinned = with_products([pin.product_id for pin in pins])
    return Clause.all_of([pinned, Clause.term("in_stock", True)]) if in_stock else pinned


def pinned_hits(
    searcher: IndexSearcher, within: Clause, pins: Sequence[Pin], *, in_stock: bool
) -> list[tuple[Pin, Hit]]:
    """Find the pinned products that pass the filters, each once, in the order of their places."""
    hits = searcher.search(Clause.all_of([within, pinnable(pins, in_stock=in_stock)]), len(pins))
    hit_of = dict(zip(map(ProductId, product_ids(searcher, hits)), hits, strict=True))
    return [(pin, hit_of.pop(pin.product_id)) for pin in pins if pin.product_id in hit_of]


def hits_within(searcher: IndexSearcher, clause: Clause, hits: Sequence[Hit]) -> set[int]:
    """Return the places of the hits that also match a clause."""
    ids = product_ids(searcher, hits)
    place = {product: at for at, product in enumerate(ids)}
    within = searcher.search(Clause.all_of([with_products(ids), clause]), len(ids))
    return {place[product] for product in product_ids(searcher, within)}


def chosen_gains(searcher: IndexSearcher, gains: Mapping[int, float], hits: Sequence[Hit]) -> Column:
    """Look up what each hit's score gains by what shoppers chose."""
    return np.array([gains.get(int(each), 0.0) for each in product_ids(searcher, hits)])


def boost_gains(searcher: IndexSearcher, boosts: Sequence[Boost], hits: Sequence[Hit]) -> Column:
    """Compute what each boost adds to each hit's score: boost, hit."""
    gains = np.zeros((len(boosts), len(hits)))
    if not boosts or not hits:
        return gains
    for number, boost in enumerate(boosts):
        boosted = hits_within(searcher, Clause.term(boost.field, boost.value), hits)
        gains[number, list(boosted)] = boost.gain
    return gains
