"""The shop's categories as the ranker sees them: how large each is, what its name means, which words name
kinds of things here. Read from the index once in a while, not for each question."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mercat.search.product_rows import category_sign, sign, signs
from mercat.search.query import analyze as text
from mercat.search.ranking import embeddings as meaning

CATEGORIES_MAX = 5_000
NAME_WORDS = 8
UNCATEGORISED = "uncategorised"
_THINGS = """
    adapter adaptor antenna arm bag battery blank book box bracket brush bundle cable cap card cartridge case
    charger clamp cleaner cleaning clip cloth controller converter cooler cord cover cradle decal dock docking
    drum enclosure film filter folio game headset heatsink holder holster hood hub ink keyboard kit label lamp
    lanyard lens licence license lock mat memory module mount pad paper pen pillow player plug pouch protector
    rack reader remote rest ribbon riser screen server service shade skin sleeve software spare splitter stand
    station sticker strap stylus switch tape toner tray warranty wipe
    """
"""Heads of names of things, and mostly of what goes with other things."""
_ACCESSORIES = """
    accessory adapter adaptor arm backpack bag battery blank bracket brush cable cap cartridge case charger
    clamp clip cloth cooler cooling cord cover cradle decal dock docking drum fan film filter heatsink holder
    holster hood ink kit lamp lanyard lens licence license lock mat memory module mount pad paper part pillow
    pouch protector rack remote rest ribbon riser screen shade skin sleeve spare splitter stand station
    sticker strap toner tray warranty wipe
    """


def known(names: str) -> NDArray[np.bool_]:
    """Which signs of words are in the list."""
    table = np.zeros(65_536, np.bool_)
    table[[sign(stem) for stem in text.stems(names)]] = True
    return table


ACCESSORY = known(_ACCESSORIES)
_THING = known(_THINGS)


@dataclass
class Aisles:
    """Row 0 stands for products without a category."""

    signs: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(1, np.uint32))
    shares: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    names: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((1, NAME_WORDS), np.uint16))
    heads: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(1, np.uint16))
    meanings: meaning.Vector = field(default_factory=lambda: np.zeros((1, meaning.DIMENSIONS), np.float32))
    kinds: NDArray[np.bool_] = field(default_factory=lambda: _THING)

    def places(self, categories: NDArray[np.uint32]) -> NDArray[np.intp]:
        """The row of each product's category; 0 where it is not known here."""
        near = np.minimum(np.searchsorted(self.signs[1:], categories) + 1, len(self.signs) - 1)
        return np.where(self.signs[near] == categories, near, 0)


def survey(counts: dict[str, int], products: int) -> Aisles:
    """From how many products each category has."""
    slugs = sorted(counts, key=lambda slug: -counts[slug])[:CATEGORIES_MAX]
    slugs = sorted((slug for slug in slugs if slug != UNCATEGORISED), key=category_sign)
    if not slugs:
        return Aisles()
    said = [slug.replace("-", " ") for slug in slugs]
    names, heads = np.zeros((len(slugs) + 1, NAME_WORDS), np.uint16), np.zeros(len(slugs) + 1, np.uint16)
    for place, name in enumerate(said, 1):
        given = signs(text.stems(name)[:NAME_WORDS])
        names[place, : len(given)] = given
        heads[place] = given[-1] if given else 0
    kinds = _THING.copy()
    kinds[heads[heads > 0]] = True
    whole = max(products, 1)
    return Aisles(
        signs=np.array([category_sign(UNCATEGORISED), *map(category_sign, slugs)], np.uint32),
        shares=np.array([counts.get(UNCATEGORISED, 0), *(counts[slug] for slug in slugs)]) / whole,
        names=names,
        heads=heads,
        meanings=np.stack([np.zeros(meaning.DIMENSIONS, np.float32), *map(meaning.meaning, said)]),
        kinds=kinds,
    )
