"""Spelling: what was meant by words that no product has, or hardly any."""

import msgspec

from mercat.search.engine import Query as Clause
from mercat.search.engine import Searcher
from mercat.search.hits import cards, scored
from mercat.search.query import analyze as text_of
from mercat.search.query import parse as words
from mercat.search.query.parse import Word
from mercat.search.ranking import embeddings as meaning

RARE_MAX, MORE_OFTEN, MENDED_LETTERS = 2, 20, 6
_SPELLINGS, _PARTINGS, _TOGETHER = 30, 3, 0.1


def meant(searcher: Searcher, asked: list[Word]) -> str | None:
    """The question with words mended that hardly any product has; codes of models are left alone."""
    said: list[str] = []
    for word in asked:
        held = max(
            searcher.doc_freq("words", word.written),
            searcher.doc_freq("said", word.stem),
        )
        if 0 < held <= RARE_MAX and len(word.written) >= MENDED_LETTERS and word.written.isalpha():
            instead = _instead(searcher, word.written)
            often = min((searcher.doc_freq("words", each.written) for each in instead), default=0)
            said += [each.written for each in instead] if often >= held * MORE_OFTEN else [word.written]
        else:
            said.append(word.written)
    return " ".join(said) if any(word.written not in said for word in asked) else None


def spelt(searcher: Searcher, asked: list[Word]) -> tuple[list[Word], list[str]]:
    """The words that some product has, unknown ones mended where that is possible, and what is left."""
    kept: list[Word] = []
    dropped: list[str] = []
    for word in asked:
        if searcher.count(words.matching(searcher, [word])):
            kept.append(word)
        elif instead := _instead(searcher, word.written):
            kept += instead
        else:
            dropped.append(word.written)
    return kept, dropped


def _instead(searcher: Searcher, written: str) -> list[Word]:
    """What was probably meant by a word: two words, or another one; nothing where that cannot be told."""
    return _parted(searcher, written) or _mended(searcher, written)


def _parted(searcher: Searcher, written: str) -> list[Word]:
    """The two words that titles write in a row: usbc is USB-C. A slip of the finger is none of these: few
    titles with one half have the other one behind it."""
    parted = [f"{written[:at]} {written[at:]}" for at in range(1, len(written))]
    pairs = {two: pair for two in parted if len(pair := text_of.stems(two)) == 2}
    held = iter(searcher.doc_freqs([("title", stem) for pair in pairs.values() for stem in pair]))
    known = [(min(freqs), two) for two, freqs in zip(pairs, zip(held, held, strict=True), strict=True)]
    for least, two in sorted(known, reverse=True)[:_PARTINGS]:
        if least and searcher.count(Clause.phrase_query("title", pairs[two])) >= _TOGETHER * least:
            return words.read(two)
    return []


def _mended(searcher: Searcher, written: str) -> list[Word]:
    """The word of a title that is one letter away, two for a long one. A word that people use is none to
    mend: who asks a shop without any for lego does not mean legs."""
    if meaning.is_word(written):
        return []
    for distance in range(1, words.slips(written) + 1):
        near = Clause.fuzzy_term_query("words", written, distance)
        votes: dict[str, int] = {}
        hits = searcher.search(near, _SPELLINGS, count=False, order_by_field="by_rating").hits
        for shown in cards(searcher, hits):
            card = msgspec.json.decode(shown, type=_Named)
            for each in set(text_of.plain(f"{card.title} {card.brand or ''}")):
                if words.apart(each, written) <= distance:
                    votes[each] = votes.get(each, 0) + 1
        if votes:
            best = max(votes, key=lambda each: (votes[each], each))
            return words.read(best)
    return []


def most(searcher: Searcher, asked: list[Word]) -> list[Word]:
    """Those of the words that the best of the products with the most of them has."""
    for least in range(len(asked) - 1, 0, -1):
        hits = scored(searcher, words.query(searcher, asked, least), 1)
        if hits:
            (product,) = searcher.fast_field_values("product_id", [hits[0][1]])
            itself = words.term("product_id", product)
            return [
                word for word in asked if searcher.count(words.every([itself, words.anywhere(word.stem)]))
            ]
    return []


class _Named(msgspec.Struct):
    title: str
    brand: str | None = None
