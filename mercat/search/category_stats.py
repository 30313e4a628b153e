"""The shop's categories as the ranker sees them: how large each is, the words of its name, and which words
name kinds of products here. Read from the index once a minute, not for each query."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mercat.search.product_rows import category_hash, word_hashes
from mercat.search.query import analyze

CATEGORIES_MAX = 5_000
_NAME_WORDS = 8
WORD_HASHES = 65_536
"""So many hashes a word can have: the length of a table of words."""
UNCATEGORISED = "uncategorised"
CATEGORY_SEPARATOR = "\x1f"
"""Between the slugs of a category path, which is one term of the index."""
_PRODUCT_NOUNS = """
    adapter adaptor antenna arm bag battery blank book box bracket brush bundle cable cap card cartridge case
    charger clamp cleaner cleaning clip cloth controller converter cooler cord cover cradle decal dock docking
    drum enclosure film filter folio game headset heatsink holder holster hood hub ink keyboard kit label lamp
    lanyard lens licence license lock mat memory module mount pad paper pen pillow player plug pouch protector
    rack reader remote rest ribbon riser screen server service shade skin sleeve software spare splitter stand
    station sticker strap stylus switch tape toner tray warranty wipe
    """
"""Words that end the names of products: accessories for the most part."""
_ACCESSORIES = """
    accessory adapter adaptor arm backpack bag battery blank bracket brush cable cap cartridge case charger
    clamp clip cloth cooler cooling cord cover cradle decal dock docking drum fan film filter heatsink holder
    holster hood ink kit lamp lanyard lens licence license lock mat memory module mount pad paper part pillow
    pouch protector rack remote rest ribbon riser screen shade skin sleeve spare splitter stand station
    sticker strap toner tray warranty wipe
    """


def word_table(words: str) -> NDArray[np.bool_]:
    """Return a table that is true at the hash of each of these words."""
    table = np.zeros(WORD_HASHES, np.bool_)
    table[word_hashes(analyze.stems(words))] = True
    return table


ACCESSORY_WORDS = word_table(_ACCESSORIES)
_PRODUCT_WORDS = word_table(_PRODUCT_NOUNS)


@dataclass
class CategoryStats:
    """A row for each category; row 0 is for products without one."""

    hashes: NDArray[np.uint32] = field(default_factory=lambda: np.zeros(1, np.uint32))
    shares: NDArray[np.float64] = field(default_factory=lambda: np.ones(1))
    """Of all products, so many are in it."""
    names: NDArray[np.uint16] = field(default_factory=lambda: np.zeros((1, _NAME_WORDS), np.uint16))
    heads: NDArray[np.uint16] = field(default_factory=lambda: np.zeros(1, np.uint16))
    """The last word of the name, which says what kind of thing it is: a mouse pad is a pad."""
    product_words: NDArray[np.bool_] = field(default_factory=lambda: _PRODUCT_WORDS)
    """Which words name kinds of products: the heads of categories, and a list that is the same everywhere."""

    def rows_of(self, categories: NDArray[np.uint32]) -> NDArray[np.intp]:
        """Find the row of each category by its hash; 0 where it is not known here."""
        near = np.minimum(np.searchsorted(self.hashes[1:], categories) + 1, len(self.hashes) - 1)
        return np.where(self.hashes[near] == categories, near, 0)


def sum_by_category(paths: dict[str, int]) -> dict[str, int]:
    """Turn counts by category path into counts by category, descendants included."""
    counts: dict[str, int] = {}
    for path, products in paths.items():
        for slug in path.split(CATEGORY_SEPARATOR):
            counts[slug] = counts.get(slug, 0) + products
    return counts


def category_stats(counts: dict[str, int], products: int) -> CategoryStats:
    """Make the statistics from how many of the shop's products each category has."""
    slugs = sorted(counts, key=lambda slug: -counts[slug])[:CATEGORIES_MAX]
    slugs = sorted((slug for slug in slugs if slug != UNCATEGORISED), key=category_hash)
    if not slugs:
        return CategoryStats()
    names, heads = np.zeros((len(slugs) + 1, _NAME_WORDS), np.uint16), np.zeros(len(slugs) + 1, np.uint16)
    for row, slug in enumerate(slugs, 1):
        words = word_hashes(analyze.stems(slug.replace("-", " "))[:_NAME_WORDS])
        names[row, : len(words)] = words
        heads[row] = words[-1] if len(words) else 0
    product_words = _PRODUCT_WORDS.copy()
    product_words[heads[heads > 0]] = True
    whole = max(products, 1)
    return CategoryStats(
        hashes=np.array([category_hash(UNCATEGORISED), *map(category_hash, slugs)], np.uint32),
        shares=np.array([counts.get(UNCATEGORISED, 0), *(counts[slug] for slug in slugs)]) / whole,
        names=names,
        heads=heads,
        product_words=product_words,
    )
