"""Text as words: one function for products and queries, whatever the engine.

A text is normalised (`normal`), then split at whatever is neither letter, digit nor mark. Scripts that are
written without spaces become pairs of neighbouring letters, so that any part of a name is found; the index
also has their single letters. Engines only split at blanks, and stem."""

import re
import sys
import unicodedata
from functools import lru_cache
from operator import add

from tantivy import Filter, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

_MARKED = "A-Za-zÀ-ɏḀ-ỿͰ-Ͽἀ-῿"
_DROPPED = re.compile(
    f"(?<=[{_MARKED}])[\u0300-\u036f]+"  # Latin and Greek: people leave the marks out
    "|(?<=[\u0415\u0435])\u0308"  # Cyrillic: yo is ye, but the short i is a letter
    "|(?<=[\u0410\u0415\u0418\u041e\u0423\u042b\u042d-\u0430\u0435\u0438\u043e\u0443\u044b\u044d-\u044f])"
    "[\u0300\u0301]"  # stress
    "|[\u0591-\u05bd\u05bf\u05c1\u05c2\u05c4\u05c5\u05c7]"  # points of Hebrew
    "|[\u0640\u064b-\u065f\u0670]"  # vowels and hamza of Arabic, and the stroke that widens words
    "|[\u00ad\u200b-\u200d\u2060\ufeff]"  # what nobody sees
)
_MARK = re.compile("[\u00ad\u0300-\u036f\u0591-\u05c7\u0640\u064b-\u0670\u200b-\u200d\u2060\ufeff]")
_FOLDED = re.compile("[\u00ad\u00c0-\u06ff\u1e00-\u1fff\u200b-\u200d\u2060\ufeff]")
"""Where letters may have marks, or other forms, that are left out."""
_APART = str.maketrans({**dict.fromkeys("™℠", " "), **{each: f" {each}" for each in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}})
"""What would grow into the word before it: Intel™ is no inteltm, 15½ no 151."""
_OTHER_LETTERS = str.maketrans(
    {
        "ø": "o",
        "đ": "d",
        "ð": "d",
        "ł": "l",
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        "ħ": "h",
        "\u0131": "i",
        "ŋ": "n",
    }
    | {"\u0649": "\u064a", "\u06cc": "\u064a", "\u0629": "\u0647", "\u06a9": "\u0643"}
)
"""Letters without a mark that people write as others: of Latin, among them the i without a dot, and of
Arabic."""
_UNSPACED = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u1000-\u1049\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
    "\u3005\u3007\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u312f\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"  # Japanese, Chinese, Korean
)
_UNSPACED_RUN = re.compile(f"[{_UNSPACED}]+")
_CACHED_LETTERS_MAX = 24
_ASCII_WORDS = {code: chr(code).lower() if chr(code).isalnum() else " " for code in range(128)}


def _between_words() -> re.Pattern[str]:
    """Match what is neither a letter, a digit nor a mark: in Hindi or Thai a word has marks within."""
    marks = "".join(
        each for each in map(chr, range(0x300, sys.maxunicode // 8)) if unicodedata.combining(each)
    )
    vowels = "\u0900-\u0dff\u0e31-\u0e4e\u0eb1-\u0ecd\u0f71-\u0fbc\u102b-\u109d\u17b4-\u17d3\u1a17-\u1c37"
    return re.compile(rf"[^\w{marks}{vowels}]+|_+")


_BETWEEN_WORDS = _between_words()


def normal(text: str) -> str:
    """Bring a text into the form in which texts are compared: Unicode's NFKC, folded in case, without the
    marks that people leave out."""
    if text.isascii():
        return text.lower()
    if not _FOLDED.search(text) and unicodedata.is_normalized("NFKC", text):
        return text.casefold()
    decomposed = unicodedata.normalize("NFKD", text.translate(_APART))
    if _MARK.search(decomposed):
        decomposed = _DROPPED.sub("", decomposed)
    return unicodedata.normalize("NFC", decomposed.casefold().translate(_OTHER_LETTERS))


def indexed_text(text: str) -> str:
    """Write a text as the index has it: its words with a blank between, and for scripts without spaces both
    single letters and pairs."""
    return _words(text, single_letters=True)


def _words(text: str, *, single_letters: bool) -> str:
    if text.isascii():
        return text.translate(_ASCII_WORDS)
    return " ".join(
        [
            _cached_words(each, single_letters)
            if len(each) <= _CACHED_LETTERS_MAX
            else _words_of(each, single_letters)
            for each in text.split()
        ]
    )


def _words_of(text: str, single_letters: bool) -> str:
    text = _BETWEEN_WORDS.sub(" ", normal(text))
    if not _UNSPACED_RUN.search(text):
        return text
    return _UNSPACED_RUN.sub(lambda run: f" {_parts(run[0], single_letters)} ", text)


_cached_words = lru_cache(50_000)(_words_of)


def _parts(run: str, single_letters: bool) -> str:
    pairs = " ".join(map(add, run, run[1:]))
    return f"{' '.join(run)} {pairs}" if single_letters or not pairs else pairs


def is_unspaced(word: str) -> bool:
    """Tell whether a word is of a script without spaces: a part of what was written, which is not
    corrected."""
    return _UNSPACED_RUN.match(word) is not None


def _analyzer(*, stemmed: bool) -> TextAnalyzer:
    builder = TextAnalyzerBuilder(Tokenizer.whitespace())
    return (builder.filter(Filter.stemmer("english")) if stemmed else builder).build()


ENGLISH, PLAIN = _analyzer(stemmed=True), _analyzer(stemmed=False)
"""Of texts that are words with blanks between."""


def plain_words(text: str) -> list[str]:
    """Split a text into words as they are written."""
    return _words(text, single_letters=False).split()


def stems(text: str) -> list[str]:
    """Split a text into stemmed words: "batteries" and "battery" are both "batteri"."""
    return ENGLISH.analyze(_words(text, single_letters=False))


def indexed_stems(text: str) -> list[str]:
    """Split a text into stemmed words, as `indexed_text` has them."""
    return ENGLISH.analyze(indexed_text(text))
