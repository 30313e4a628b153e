"""Spelling: corrections of words that no product has, or hardly any."""

import msgspec

from mercat.search.engine import Clause, IndexSearcher, SortKey, raw_cards, search_by_score
from mercat.search.query import analyze
from mercat.search.query.parse import QueryWord, anywhere, parse, scored_text, text_query
from mercat.search.ranking import embeddings

_RARE_MAX, _MORE_FREQUENT, _CORRECTED_LETTERS_MIN = 2, 20, 6
_CORRECTED_LETTERS_MAX = 40
_CANDIDATES, _SPLITS, _ADJACENT_MIN = 30, 3, 0.1


def did_you_mean(searcher: IndexSearcher, words: list[QueryWord]) -> str | None:
    """Suggest the query with words corrected that hardly any product has; None where there is nothing to
    correct. Codes of models are left alone."""
    suggested: list[str] = []
    for word in words:
        frequency = max(
            searcher.doc_freq("plain_words", word.written), searcher.doc_freq("main_text", word.stem)
        )
        suggested += _if_much_more_frequent(searcher, word.written, frequency)
    return " ".join(suggested) if any(word.written not in suggested for word in words) else None


def _if_much_more_frequent(searcher: IndexSearcher, written: str, frequency: int) -> list[str]:
    """Return the correction of a rare word if titles have it far more often, else the word."""
    rare = 0 < frequency <= _RARE_MAX
    if not (rare and len(written) >= _CORRECTED_LETTERS_MIN and written.isalpha()):
        return [written]
    correction = _correct(searcher, written)
    known = min((searcher.doc_freq("plain_words", each.written) for each in correction), default=0)
    return [each.written for each in correction] if known >= frequency * _MORE_FREQUENT else [written]


def correct_unknown(searcher: IndexSearcher, words: list[QueryWord]) -> tuple[list[QueryWord], list[str]]:
    """Correct the words that no product has. Returns the words to look for, and those that are given up."""
    kept: list[QueryWord] = []
    dropped: list[str] = []
    for word in words:
        if searcher.count(text_query(searcher, [word]).matching):
            kept.append(word)
        elif correction := _correct(searcher, word.written):
            kept += correction
        else:
            dropped.append(word.written)
    return kept, dropped


def words_of_best_match(searcher: IndexSearcher, words: list[QueryWord]) -> list[QueryWord]:
    """Return those of the words that the best of the products with the most of them has."""
    for minimum in range(len(words) - 1, 0, -1):
        hits = search_by_score(searcher, scored_text(searcher, text_query(searcher, words, minimum)), 1)
        if hits:
            (product,) = searcher.field_values("product_id", hits)
            itself = Clause.term("product_id", product)
            return [word for word in words if searcher.count(Clause.all_of([itself, anywhere(word.stem)]))]
    return []


def _correct(searcher: IndexSearcher, written: str) -> list[QueryWord]:
    """Correct a word: to two words, or to another one; to nothing where that cannot be told, as in a script
    without spaces."""
    if len(written) > _CORRECTED_LETTERS_MAX or analyze.is_unspaced(written):
        return []
    return _split(searcher, written) or _nearest(searcher, written)


def _split(searcher: IndexSearcher, written: str) -> list[QueryWord]:
    """Split a word where titles write it as two in a row: usbc is USB-C. A typing error is not mistaken for
    that: few titles with one half have the other one behind it."""
    spaced = [f"{written[:at]} {written[at:]}" for at in range(1, len(written))]
    pairs = {two: pair for two in spaced if len(pair := analyze.stems(two)) == 2}
    frequencies = iter(searcher.doc_freqs([("title", stem) for pair in pairs.values() for stem in pair]))
    known = [
        (min(both), two) for two, both in zip(pairs, zip(frequencies, frequencies, strict=True), strict=True)
    ]
    for least, two in sorted(known, reverse=True)[:_SPLITS]:
        if least and searcher.count(Clause.phrase("title", pairs[two])) >= _ADJACENT_MIN * least:
            return parse(two)
    return []


def _nearest(searcher: IndexSearcher, written: str) -> list[QueryWord]:
    """Return the word of a title that is one letter away, two for a long one. A real word is not corrected:
    who asks a shop without any for lego does not mean legs."""
    if embeddings.is_word(written):
        return []
    for distance in range(1, typos_allowed(written) + 1):
        near = Clause.fuzzy("plain_words", written, distance)
        votes: dict[str, int] = {}
        for raw in raw_cards(searcher, searcher.search(near, _CANDIDATES, sort=SortKey("by_rating"))):
            card = msgspec.json.decode(raw, type=_TitleAndBrand)
            for each in set(analyze.plain_words(f"{card.title} {card.brand or ''}")):
                if edit_distance(each, written) <= distance:
                    votes[each] = votes.get(each, 0) + 1
        if votes:
            return parse(max(votes, key=lambda each: (votes[each], each)))
    return []


def typos_allowed(written: str) -> int:
    """Return how many typing errors a word may have: none in a short one, and none in one of a script without
    spaces."""
    if len(written) > _CORRECTED_LETTERS_MAX or analyze.is_unspaced(written):
        return 0
    return 0 if len(written) < 4 else 1 if len(written) < 8 else 2


def edit_distance(one: str, other: str) -> int:
    """Count the letters to insert, delete, change or swap with their neighbour.
    Source: optimal string alignment, Damerau (1964)."""
    before, last = list[int](), list(range(len(other) + 1))
    for i, letter in enumerate(one, 1):
        row = [i]
        for j, against in enumerate(other, 1):
            row.append(min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != against)))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == against:
                row[j] = min(row[j], before[j - 2] + 1)
        before, last = last, row
    return last[-1]


class _TitleAndBrand(msgspec.Struct):
    title: str
    brand: str | None = None
